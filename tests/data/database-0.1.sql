BEGIN TRANSACTION;
CREATE TABLE audit (
	number INTEGER NOT NULL, 
	time VARCHAR(40) NOT NULL, 
	terminal_id VARCHAR(40) NOT NULL, 
	action VARCHAR(20) NOT NULL, 
	outcome VARCHAR(64) NOT NULL, 
	visit_id VARCHAR(64) NOT NULL, 
	staff VARCHAR(40) NOT NULL, 
	reason VARCHAR(40) NOT NULL, 
	PRIMARY KEY (number)
);
INSERT INTO "audit" VALUES(1,'2026-11-23T12:00:00+09:00','terminal-1','identify','ok','visit-1','','');
INSERT INTO "audit" VALUES(2,'2026-11-23T12:00:00+09:00','terminal-1','identify','ok','visit-2','','');
INSERT INTO "audit" VALUES(3,'2026-11-23T12:00:00+09:00','terminal-1','consents','ok','visit-1','','');
CREATE TABLE card_uses (
	person_id VARCHAR(255) NOT NULL, 
	PRIMARY KEY (person_id)
);
CREATE TABLE consents (
	visit_id VARCHAR(64) NOT NULL, 
	sent JSON NOT NULL, 
	answers JSON NOT NULL, 
	prescription VARCHAR(10), 
	recorded_at VARCHAR(40) NOT NULL, 
	available_until VARCHAR(40) NOT NULL, 
	PRIMARY KEY (visit_id), 
	FOREIGN KEY(visit_id) REFERENCES visits (visit_id)
);
INSERT INTO "consents" VALUES('visit-1','{"MEDICATION": "given"}','{"MEDICATION": "given", "DIAGNOSIS": "given"}',NULL,'2026-11-23T12:00:00+09:00','2026-11-24T12:00:00+09:00');
CREATE TABLE "references" (
	institution_code VARCHAR(10) NOT NULL, 
	person_id VARCHAR(255) NOT NULL, 
	reference_number VARCHAR(50) NOT NULL, 
	PRIMARY KEY (institution_code, person_id)
);
CREATE TABLE visits (
	visit_id VARCHAR(64) NOT NULL, 
	terminal_id VARCHAR(40) NOT NULL, 
	certificate_sha256 VARCHAR(64) NOT NULL, 
	method VARCHAR(8) NOT NULL, 
	standing VARCHAR(20) NOT NULL, 
	status VARCHAR(20) NOT NULL, 
	profile VARCHAR(20) NOT NULL, 
	facility JSON NOT NULL, 
	facility_kind VARCHAR(10) NOT NULL, 
	institution_code VARCHAR(10) NOT NULL, 
	card_use_offered BOOLEAN NOT NULL, 
	card_use VARCHAR(10), 
	questions JSON NOT NULL, 
	identified_at VARCHAR(40) NOT NULL, 
	PRIMARY KEY (visit_id)
);
INSERT INTO "visits" VALUES('visit-1','terminal-1','4e0c7926df5dd7097ddd5ed010ab1a69ea06c3458f5a90b9b9f937332998c65c','face','valid','valid','leaflet-2023','{"medication": true, "diagnosis": false, "operation": false, "health_checkup": true, "specific_disease": false, "medical_subsidy": false, "prescription": false, "bundled": true}','clinic','1310000000',0,NULL,'["MEDICATION", "HEALTH_CHECKUP", "LIMIT_AMOUNT"]','2026-11-23T12:00:00+09:00');
INSERT INTO "visits" VALUES('visit-2','terminal-1','4e0c7926df5dd7097ddd5ed010ab1a69ea06c3458f5a90b9b9f937332998c65c','face','valid','valid','leaflet-2023','{"medication": true, "diagnosis": false, "operation": false, "health_checkup": true, "specific_disease": false, "medical_subsidy": false, "prescription": false, "bundled": true}','clinic','1310000000',0,NULL,'["MEDICATION", "HEALTH_CHECKUP", "LIMIT_AMOUNT"]','2026-11-23T12:00:00+09:00');
COMMIT;
