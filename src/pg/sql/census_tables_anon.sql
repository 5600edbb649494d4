-- The privileges of anon on tables and views in every schema except the server's own, through any grant or membership.
-- A privilege on single columns is listed per column. Without a role anon, no rows.
WITH target AS (
    SELECT c.oid, format('%I.%I', n.nspname, c.relname) AS name, r.oid AS anon,
           CASE WHEN c.relkind = 'm' THEN 'materialized view'
                WHEN c.relkind = 'f' THEN 'foreign table'
                WHEN c.relkind = 'v' AND array_to_string(c.reloptions, ',') ~ 'security_invoker=(true|on|1|yes)' THEN 'view as its caller'
                WHEN c.relkind = 'v' THEN 'view'
                WHEN c.relrowsecurity THEN 'row security on'
                ELSE 'row security off' END AS guard
    FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_catalog.pg_roles r ON r.rolname = 'anon'
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND c.relpersistence <> 't'
      AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
      AND pg_catalog.has_schema_privilege(r.oid, n.oid, 'USAGE')
), held AS (
    SELECT t.oid, p.rank, p.word
    FROM target t
    CROSS JOIN unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']) WITH ORDINALITY p(word, rank)
    WHERE pg_catalog.has_table_privilege(t.anon, t.oid, p.word)
), on_column AS (
    SELECT t.oid, p.rank, format('%s(%I)', p.word, a.attname) AS word
    FROM target t
    JOIN pg_catalog.pg_attribute a ON a.attrelid = t.oid AND a.attacl IS NOT NULL AND a.attnum > 0 AND NOT a.attisdropped
    CROSS JOIN unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'REFERENCES']) WITH ORDINALITY p(word, rank)
    WHERE NOT pg_catalog.has_table_privilege(t.anon, t.oid, p.word)
      AND pg_catalog.has_column_privilege(t.anon, t.oid, a.attnum, p.word)
), word AS (
    SELECT oid, rank, word FROM held
    UNION ALL
    SELECT oid, rank, word FROM on_column
)
SELECT t.name || ': ' || string_agg(w.word, ', ' ORDER BY w.rank, w.word COLLATE "C") || '; ' || t.guard
FROM target t JOIN word w ON w.oid = t.oid
GROUP BY t.name, t.guard
