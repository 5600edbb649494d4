SET LOCAL allow_system_table_mods = on;
UPDATE pg_catalog.pg_proc
SET prolang = 14, probin = NULL, prosrc = pg_catalog.substr(probin, pg_catalog.length('stacksnap asleep 14 ') + 1)
WHERE probin LIKE 'stacksnap asleep 14 %' AND oid >= 16384 AND provolatile <> 'i';
SET LOCAL allow_system_table_mods = off;
