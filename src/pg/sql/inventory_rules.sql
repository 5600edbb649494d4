-- Rules, except the _RETURN rules of views.
SELECT 'RULE'::text, n.nspname::text, format('%I on %I.%I', w.rulename, n.nspname, c.relname),
       concat_ws(' ', pg_get_ruledef(w.oid),
           CASE w.ev_enabled WHEN 'D' THEN 'DISABLED' WHEN 'A' THEN 'ENABLED ALWAYS' WHEN 'R' THEN 'ENABLED REPLICA' END),
       NULL::text, e.extname::text, 'pg_rewrite'::regclass::oid, w.oid, 0
FROM pg_rewrite w
JOIN pg_class c ON c.oid = w.ev_class
JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_depend x ON x.classid = 'pg_class'::regclass AND x.objid = c.oid AND x.objsubid = 0 AND x.deptype = 'e' AND x.refclassid = 'pg_extension'::regclass
LEFT JOIN pg_extension e ON e.oid = x.refobjid
WHERE NOT (c.relkind IN ('v', 'm') AND w.ev_type = '1' AND w.is_instead)
  AND c.relpersistence <> 't' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
