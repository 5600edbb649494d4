-- When the counters of this database were last reset, and under which settings they count: a crash or reset changes it.
SELECT concat_ws(' ', 'server', pg_postmaster_start_time(), 'settings', pg_conf_load_time(),
    'statistics', (SELECT b.stats_reset FROM pg_stat_bgwriter b),
    'database', (SELECT concat_ws(' ', d.oid, pg_stat_get_db_stat_reset_time(d.oid)) FROM pg_database d WHERE d.datname = current_database()))
