-- Publications and their members, subscriptions (the connection string is secret and left out), logical slots of this
-- database, event triggers. Options of a subscription that differ from the default are on a separate line.
SELECT 'PUBLICATION'::text, NULL::text, quote_ident(p.pubname),
       (to_jsonb(p) - ARRAY['oid', 'pubname', 'pubowner'])::text, r.rolname::text, e.extname::text,
       'pg_publication'::regclass::oid, p.oid, 0
FROM pg_publication p
LEFT JOIN pg_roles r ON r.oid = p.pubowner
LEFT JOIN pg_depend x ON x.classid = 'pg_publication'::regclass AND x.objid = p.oid AND x.deptype = 'e' AND x.refclassid = 'pg_extension'::regclass
LEFT JOIN pg_extension e ON e.oid = x.refobjid
UNION ALL
SELECT 'PUBLICATION TABLE', n.nspname, format('%I.%I in publication %I', n.nspname, c.relname, p.pubname),
       /*pg15+*/ concat_ws(' ', 'WHERE (' || pg_get_expr(m.prqual, m.prrelid) || ')',
           'COLUMNS (' || (SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY k.rank)
                           FROM unnest(m.prattrs::int2[]) WITH ORDINALITY k(attnum, rank)
                           JOIN pg_attribute a ON a.attrelid = m.prrelid AND a.attnum = k.attnum) || ')') /*else*/ '' /*end*/,
       NULL, NULL, 'pg_publication_rel'::regclass::oid, m.oid, 0
FROM pg_publication_rel m
JOIN pg_publication p ON p.oid = m.prpubid
JOIN pg_class c ON c.oid = m.prrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
/*pg15+*/
UNION ALL
SELECT 'PUBLICATION TABLES IN SCHEMA', n.nspname, format('%I in publication %I', n.nspname, p.pubname), '', NULL, NULL,
       'pg_publication_namespace'::regclass::oid, m.oid, 0
FROM pg_publication_namespace m
JOIN pg_publication p ON p.oid = m.pnpubid
JOIN pg_namespace n ON n.oid = m.pnnspid
/*else*/ /*end*/
UNION ALL
SELECT 'SUBSCRIPTION', NULL, quote_ident(s.subname),
       concat_ws(' ', CASE WHEN s.subenabled THEN 'ENABLED' ELSE 'DISABLED' END, 'PUBLICATIONS',
           array_to_string(s.subpublications, ','), 'SLOT ' || s.subslotname, 'SYNCHRONOUS_COMMIT ' || s.subsynccommit)
           || coalesce(E'\nOPTIONS ' || nullif(concat_ws(' ',
               /*pg14+*/ CASE WHEN s.subbinary THEN 'BINARY' END /*else*/ NULL /*end*/,
               /*pg14+*/ CASE WHEN s.substream::text IN ('t', 'true') THEN 'STREAMING' WHEN s.substream::text = 'p' THEN 'STREAMING PARALLEL' END /*else*/ NULL /*end*/,
               /*pg15+*/ CASE WHEN s.subtwophasestate <> 'd' THEN 'TWO_PHASE' END /*else*/ NULL /*end*/,
               /*pg15+*/ CASE WHEN s.subdisableonerr THEN 'DISABLE_ON_ERROR' END /*else*/ NULL /*end*/,
               /*pg16+*/ 'ORIGIN ' || nullif(s.suborigin, 'any') /*else*/ NULL /*end*/,
               /*pg16+*/ CASE WHEN NOT s.subpasswordrequired THEN 'NO PASSWORD REQUIRED' END /*else*/ NULL /*end*/,
               /*pg16+*/ CASE WHEN s.subrunasowner THEN 'RUN AS OWNER' END /*else*/ NULL /*end*/,
               /*pg17+*/ CASE WHEN s.subfailover THEN 'FAILOVER' END /*else*/ NULL /*end*/), ''), ''),
       r.rolname, NULL, 'pg_subscription'::regclass::oid, s.oid, 0
FROM pg_subscription s
LEFT JOIN pg_roles r ON r.oid = s.subowner
WHERE s.subdbid = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
UNION ALL
SELECT 'REPLICATION SLOT', NULL, quote_ident(s.slot_name),
       concat_ws(' ', 'PLUGIN', quote_ident(s.plugin), /*pg14+*/ CASE WHEN s.two_phase THEN 'TWO_PHASE' END /*else*/ NULL /*end*/,
           /*pg17+*/ CASE WHEN s.failover THEN 'FAILOVER' END /*else*/ NULL /*end*/), NULL, NULL, NULL, NULL, 0
FROM pg_replication_slots s
WHERE s.slot_type = 'logical' AND NOT s.temporary AND s.database = current_database()
UNION ALL
SELECT 'EVENT TRIGGER', NULL, quote_ident(t.evtname),
       concat_ws(' ', 'ON', t.evtevent, 'TAGS ' || array_to_string(t.evttags, ','),
           'EXECUTE FUNCTION', t.evtfoid::regprocedure::text,
           CASE t.evtenabled WHEN 'D' THEN 'DISABLED' WHEN 'A' THEN 'ENABLED ALWAYS' WHEN 'R' THEN 'ENABLED REPLICA' END),
       r.rolname, e.extname, 'pg_event_trigger'::regclass::oid, t.oid, 0
FROM pg_event_trigger t
LEFT JOIN pg_roles r ON r.oid = t.evtowner
LEFT JOIN pg_depend x ON x.classid = 'pg_event_trigger'::regclass AND x.objid = t.oid AND x.deptype = 'e' AND x.refclassid = 'pg_extension'::regclass
LEFT JOIN pg_extension e ON e.oid = x.refobjid
