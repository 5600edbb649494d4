-- Returns the positions in the list of those tables that this role cannot read in full. $1, $2: schemas and names,
-- unquoted.
SELECT t.number::int4
FROM unnest($1::text[], $2::text[]) WITH ORDINALITY t(schema, name, number)
LEFT JOIN pg_catalog.pg_namespace n ON n.nspname = t.schema
LEFT JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = t.name
WHERE c.oid IS NULL
   OR NOT pg_catalog.has_schema_privilege(n.oid, 'USAGE')
   OR NOT pg_catalog.has_table_privilege(c.oid, 'SELECT')
   -- Row security would hide rows from this role.
   OR pg_catalog.row_security_active(c.oid)
ORDER BY t.number
