-- Tables of publications, with column lists and row filters if the server supports them (15 and later).
SELECT r.prpubid AS publication, n.nspname::text AS schema, c.relname::text AS table, /*COLUMNS*/ AS columns, /*FILTER*/ AS filter
FROM pg_catalog.pg_publication_rel r
JOIN pg_catalog.pg_class c ON c.oid = r.prrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
ORDER BY n.nspname, c.relname
