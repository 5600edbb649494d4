-- Memberships, except those between predefined roles. pg_bootstrap stands for the bootstrap superuser (OID 10).
SELECT g.rolname::text AS role, m.rolname::text AS member, a.admin_option AS admin,
       (to_jsonb(a) ->> 'inherit_option')::boolean AS inherit, (to_jsonb(a) ->> 'set_option')::boolean AS set,
       CASE WHEN a.grantor = 10 THEN 'pg_bootstrap' ELSE b.rolname::text END AS grantor
FROM pg_catalog.pg_auth_members a
JOIN pg_catalog.pg_roles g ON g.oid = a.roleid
JOIN pg_catalog.pg_roles m ON m.oid = a.member
LEFT JOIN pg_catalog.pg_roles b ON b.oid = a.grantor
WHERE m.rolname !~ '^pg_'
ORDER BY 1, 2, 6
