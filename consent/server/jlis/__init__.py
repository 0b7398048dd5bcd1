"""The mock parties beside the eligibility server: J-LIS, and the platform operator between it and the clinics."""
