-- Which function must exist before which other: dependencies of SQL-standard bodies, default expressions and
-- aggregates.
SELECT d.objid AS function, d.refobjid AS needs
FROM pg_catalog.pg_depend d
WHERE d.classid = 'pg_catalog.pg_proc'::regclass AND d.refclassid = 'pg_catalog.pg_proc'::regclass
  AND d.objid <> d.refobjid AND d.deptype = 'n'
