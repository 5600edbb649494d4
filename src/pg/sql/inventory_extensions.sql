-- Extensions, with the properties that decide where and how they are recreated.
SELECT 'EXTENSION'::text, NULL::text, quote_ident(e.extname),
       format('VERSION %L SCHEMA %I RELOCATABLE %s CONFIG %s', e.extversion, n.nspname, e.extrelocatable,
              coalesce((SELECT string_agg(format('%I.%I', cn.nspname, c.relname), ' ' ORDER BY cn.nspname, c.relname)
                        FROM pg_class c JOIN pg_namespace cn ON cn.oid = c.relnamespace
                        WHERE c.oid = ANY (e.extconfig)), 'none')),
       r.rolname::text, NULL::text, 'pg_extension'::regclass::oid, e.oid, 0
FROM pg_extension e
LEFT JOIN pg_namespace n ON n.oid = e.extnamespace
LEFT JOIN pg_roles r ON r.oid = e.extowner
