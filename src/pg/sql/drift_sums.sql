-- The hash includes the OID: an object that was dropped and recreated with the same text did not exist for a moment,
-- and pg_dump writes incomplete output if it looked then (CREATE FUNCTION f() RETURNS LANGUAGE sql, with exit code 0).
SELECT part.catalog::text, sum(hashtextextended(concat_ws(' ', part.oid, part.h), 0))::text FROM part GROUP BY part.catalog
