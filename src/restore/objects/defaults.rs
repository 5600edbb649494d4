//! Default privileges while objects are created: what they would grant on new objects is revoked first.
//!
//! Invariant (R32): the change is temporary. `access_grants.sql` restores the snapshot's default privileges exactly
//! afterwards. It builds statements and runs none.

use std::collections::BTreeSet;

use crate::model::name::literal;

/// Resets this role's default privileges, globally and in these schemas, to what PostgreSQL grants by itself. Then
/// objects that the role creates get no explicit ACL.
pub fn close_own_defaults(schemas: &BTreeSet<&str>) -> String {
    let schemas: Vec<String> = schemas.iter().map(|schema| literal(schema)).collect();
    CLOSE_OWN.replace("{schemas}", &schemas.join(", "))
}

const CLOSE_OWN: &str = "DO $stacksnap$ DECLARE one record; BEGIN \
    FOR one IN SELECT DISTINCT n.nspname, t.what, a.grantee, g.rolname \
        FROM pg_catalog.pg_default_acl d LEFT JOIN pg_catalog.pg_namespace n ON n.oid = d.defaclnamespace \
        JOIN (VALUES ('r', 'TABLES'), ('S', 'SEQUENCES'), ('f', 'FUNCTIONS'), ('T', 'TYPES')) t(kind, what) \
            ON t.kind = d.defaclobjtype::text \
        CROSS JOIN LATERAL pg_catalog.aclexplode(d.defaclacl) a LEFT JOIN pg_catalog.pg_roles g ON g.oid = a.grantee \
        WHERE d.defaclrole = current_user::pg_catalog.regrole AND a.grantee <> d.defaclrole \
            AND (d.defaclnamespace = 0 OR n.nspname IN ({schemas})) \
    LOOP EXECUTE pg_catalog.format('ALTER DEFAULT PRIVILEGES %s REVOKE ALL ON %s FROM %s', \
        CASE WHEN one.nspname IS NOT NULL THEN pg_catalog.format('IN SCHEMA %I', one.nspname) END, one.what, \
        CASE WHEN one.grantee = 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(one.rolname) END); \
    END LOOP; \
    FOR one IN SELECT t.what, t.everybody FROM pg_catalog.pg_default_acl d \
        JOIN (VALUES ('r', 'TABLES', ''), ('S', 'SEQUENCES', ''), ('f', 'FUNCTIONS', 'EXECUTE'), ('T', 'TYPES', 'USAGE')) \
            t(kind, what, everybody) ON t.kind = d.defaclobjtype::text \
        WHERE d.defaclrole = current_user::pg_catalog.regrole AND d.defaclnamespace = 0 \
    LOOP EXECUTE pg_catalog.format('ALTER DEFAULT PRIVILEGES GRANT ALL ON %s TO %I', one.what, current_user); \
        IF one.everybody <> '' THEN \
            EXECUTE pg_catalog.format('ALTER DEFAULT PRIVILEGES GRANT %s ON %s TO PUBLIC', one.everybody, one.what); \
        END IF; \
    END LOOP; END $stacksnap$";
