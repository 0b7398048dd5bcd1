"""This project's own settings; nothing of the reception terminal."""

QUESTIONS_WE_SHOW = ("medication", "health_checkup")
