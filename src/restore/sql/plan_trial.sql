-- Runs the statement with SQL functions (language 14) awake and volatile: the planner inlines them and evaluates none.
-- The error that a volatile function is not allowed here (invalid_object_definition) comes from this trial, so it is
-- ignored. Everything is rolled back.
BEGIN
    SET LOCAL allow_system_table_mods = on;
    UPDATE pg_catalog.pg_proc
    SET prolang = 14, provolatile = 'v', probin = NULL,
        prosrc = pg_catalog.substr(probin, pg_catalog.length('stacksnap asleep 14 ') + 1)
    WHERE probin LIKE 'stacksnap asleep 14 %' AND oid >= 16384;
    EXECUTE /*STATEMENT*/;
    RAISE EXCEPTION USING ERRCODE = 'SSNAP';
EXCEPTION
    WHEN SQLSTATE 'SSNAP' OR invalid_object_definition THEN NULL;
END
