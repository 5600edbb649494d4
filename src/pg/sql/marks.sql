-- One line for each table whose rows can only change by what is counted: where its rows are, how many were written, and
-- what decides how they read (number, name and type of each column, labels of enums). Not for a table
-- * of another access method, which counts as it likes;
-- * with a column that shows another object's name (regclass, aclitem) or a row type, however deep: that can read
--   otherwise while the table stays as it is.
WITH RECURSIVE wanted AS (
    SELECT c.oid FROM pg_class c
    JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_am m ON m.oid = c.relam AND m.amhandler = 'heap_tableam_handler'::regproc
    WHERE c.relkind = 'r' AND c.relpersistence <> 't' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
), columns AS (
    SELECT a.attrelid, a.attnum, a.attname::text AS name, a.atttypid, a.atttypmod, a.attgenerated
    FROM pg_attribute a JOIN wanted w ON w.oid = a.attrelid WHERE a.attnum > 0 AND NOT a.attisdropped
), inside(root, typ) AS (
    SELECT DISTINCT atttypid, atttypid FROM columns
    UNION
    SELECT i.root, x.typ FROM inside i JOIN pg_type t ON t.oid = i.typ
    CROSS JOIN LATERAL (SELECT t.typelem UNION ALL SELECT t.typbasetype
                        UNION ALL SELECT r.rngsubtype FROM pg_range r WHERE t.oid IN (r.rngtypid, r.rngmultitypid)) x(typ)
    WHERE x.typ <> 0
), types AS (
    SELECT i.root, string_agg(e.labels, ',' ORDER BY i.typ) AS labels,
           bool_or(t.oid IS NULL OR t.typtype NOT IN ('b', 'd', 'e', 'r', 'm')
                   OR (t.typnamespace = 'pg_catalog'::regnamespace AND t.typname ~ '^(reg|_?aclitem)')) AS names_others
    FROM inside i LEFT JOIN pg_type t ON t.oid = i.typ
    LEFT JOIN (SELECT enumtypid, string_agg(concat_ws(' ', oid, octet_length(enumlabel::text), enumlabel), ',' ORDER BY oid) AS labels
               FROM pg_enum GROUP BY enumtypid) e ON e.enumtypid = i.typ
    GROUP BY i.root
)
SELECT w.oid, pg_relation_filenode(w.oid), pg_stat_get_tuples_inserted(w.oid), pg_stat_get_tuples_updated(w.oid),
       pg_stat_get_tuples_deleted(w.oid), layout.sha256
FROM wanted w
CROSS JOIN LATERAL (
    SELECT coalesce(bool_or(t.names_others), false) AS names_others,
           left(encode(sha256(convert_to(coalesce(string_agg(
               concat_ws(' ', c.attnum, octet_length(c.name), c.name, c.atttypid, c.atttypmod, c.attgenerated, t.labels),
               ',' ORDER BY c.attnum), ''), getdatabaseencoding())), 'hex'), 32) AS sha256
    FROM columns c LEFT JOIN types t ON t.root = c.atttypid WHERE c.attrelid = w.oid) layout
WHERE NOT layout.names_others AND pg_relation_filenode(w.oid) IS NOT NULL
