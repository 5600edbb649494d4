-- Triggers that a person put on storage.buckets and that an INSERT would fire. $1: the states of tgenabled that fire;
-- $2: the platform's own triggers on that table.
SELECT pg_catalog.quote_ident(t.tgname)
FROM pg_catalog.pg_trigger t
WHERE t.tgrelid = 'storage.buckets'::regclass AND NOT t.tgisinternal AND (t.tgtype & 4) = 4
  AND t.tgenabled::text = ANY ($1::text[]) AND t.tgname::text <> ALL ($2::text[])
ORDER BY 1
