-- User triggers on storage.buckets that an INSERT would fire. $1: the values of tgenabled that fire; $2: the platform's
-- own triggers on that table.
SELECT pg_catalog.quote_ident(t.tgname)
FROM pg_catalog.pg_trigger t
JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid AND c.relname = 'buckets'
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace AND n.nspname = 'storage'
WHERE NOT t.tgisinternal AND (t.tgtype & 4) = 4
  AND t.tgenabled::text = ANY ($1::text[]) AND t.tgname::text <> ALL ($2::text[])
ORDER BY 1
