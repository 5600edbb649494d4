-- Restores every sleeping function to its original definition.
SET LOCAL allow_system_table_mods = on;
UPDATE pg_catalog.pg_proc
SET prolang = pg_catalog.split_part(probin, ' ', 3)::pg_catalog.oid,
    prosrc = pg_catalog.substr(probin, pg_catalog.length('stacksnap asleep ')
        + pg_catalog.length(pg_catalog.split_part(probin, ' ', 3)) + 2),
    probin = NULL
WHERE probin LIKE 'stacksnap asleep %' AND oid >= 16384;
SET LOCAL allow_system_table_mods = off;
