-- What readers may do on a ClickHouse server of its own (clickhouse.reader_role): read this database, within limits that they may lower and
-- never lift. Users get the role: GRANT {reader_role} TO grafana. The embedded engine has no access storage; the server before it does the same.
CREATE SETTINGS PROFILE IF NOT EXISTS {reader_role};
ALTER SETTINGS PROFILE {reader_role} SETTINGS
    readonly = 2 READONLY,
    allow_ddl = 0 READONLY,
    allow_introspection_functions = 0 READONLY,
    max_execution_time = 60 MIN 1 MAX 60,
    max_memory_usage = 2147483648 MIN 1 MAX 2147483648,
    max_result_rows = 10000000 MIN 1 MAX 10000000,
    max_result_bytes = 1073741824 MIN 1 MAX 1073741824,
    max_threads = 8 MIN 1 MAX 8;
CREATE ROLE IF NOT EXISTS {reader_role};
ALTER ROLE {reader_role} SETTINGS PROFILE '{reader_role}';
GRANT SELECT, SHOW ON {database}.* TO {reader_role};
