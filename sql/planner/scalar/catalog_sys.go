package scalar

// systemFunctionTable lists the functions that read the system catalogs or
// the server, as functionTable does. Those that are asked of objects which
// we do not have at all answer as if there were none.
const systemFunctionTable = `
col_description(oid,int4) text stable
current_schemas(bool) _name stable
format_type(oid,int4) text notstrict stable
has_any_column_privilege(name,oid,text) bool stable
has_any_column_privilege(name,text,text) bool stable
has_any_column_privilege(oid,oid,text) bool stable
has_any_column_privilege(oid,text) bool stable
has_any_column_privilege(oid,text,text) bool stable
has_any_column_privilege(text,text) bool stable
has_column_privilege(oid,int2,text) bool stable
has_column_privilege(oid,text,text) bool stable
has_column_privilege(text,int2,text) bool stable
has_column_privilege(text,text,text) bool stable
has_database_privilege(name,oid,text) bool stable
has_database_privilege(name,text,text) bool stable
has_database_privilege(oid,oid,text) bool stable
has_database_privilege(oid,text) bool stable
has_database_privilege(oid,text,text) bool stable
has_database_privilege(text,text) bool stable
has_function_privilege(name,oid,text) bool stable
has_function_privilege(oid,oid,text) bool stable
has_function_privilege(oid,text) bool stable
has_language_privilege(oid,text) bool stable
has_schema_privilege(name,oid,text) bool stable
has_schema_privilege(name,text,text) bool stable
has_schema_privilege(oid,oid,text) bool stable
has_schema_privilege(oid,text) bool stable
has_schema_privilege(oid,text,text) bool stable
has_schema_privilege(text,text) bool stable
has_table_privilege(name,oid,text) bool stable
has_table_privilege(name,text,text) bool stable
has_table_privilege(oid,oid,text) bool stable
has_table_privilege(oid,text) bool stable
has_table_privilege(oid,text,text) bool stable
has_table_privilege(text,text) bool stable
has_tablespace_privilege(oid,text) bool stable
has_type_privilege(oid,text) bool stable
inet_client_port() int4 stable
inet_server_port() int4 stable
obj_description(oid) text stable
obj_description(oid,name) text stable
pg_advisory_unlock_all() void volatile
pg_char_to_encoding(name) int4 stable
pg_collation_is_visible(oid) bool stable
pg_conversion_is_visible(oid) bool stable
pg_database_size(name) int8 volatile
pg_database_size(oid) int8 volatile
pg_encoding_to_char(int4) name stable
pg_function_is_visible(oid) bool stable
pg_get_constraintdef(oid) text stable
pg_get_constraintdef(oid,bool) text stable
pg_get_expr(text,oid) text stable
pg_get_expr(text,oid,bool) text stable
pg_get_function_arguments(oid) text stable
pg_get_function_identity_arguments(oid) text stable
pg_get_function_result(oid) text stable
pg_get_function_sqlbody(oid) text stable
pg_get_functiondef(oid) text stable
pg_get_indexdef(oid) text stable
pg_get_indexdef(oid,int4,bool) text stable
pg_get_partkeydef(oid) text stable
pg_get_ruledef(oid) text stable
pg_get_ruledef(oid,bool) text stable
pg_get_serial_sequence(text,text) text stable
pg_get_statisticsobjdef(oid) text stable
pg_get_statisticsobjdef_columns(oid) text stable
pg_get_triggerdef(oid) text stable
pg_get_triggerdef(oid,bool) text stable
pg_get_userbyid(oid) name stable
pg_get_viewdef(oid) text stable
pg_get_viewdef(oid,bool) text stable
pg_get_viewdef(oid,int4) text stable
pg_get_viewdef(text) text stable
pg_get_viewdef(text,bool) text stable
pg_has_role(name,name,text) bool stable
pg_has_role(name,oid,text) bool stable
pg_has_role(name,text) bool stable
pg_has_role(oid,name,text) bool stable
pg_has_role(oid,oid,text) bool stable
pg_has_role(oid,text) bool stable
pg_indexes_size(regclass) int8 volatile
pg_is_in_recovery() bool volatile
pg_is_other_temp_schema(oid) bool stable
pg_my_temp_schema() oid stable
pg_opclass_is_visible(oid) bool stable
pg_operator_is_visible(oid) bool stable
pg_opfamily_is_visible(oid) bool stable
pg_postmaster_start_time() timestamptz stable
pg_relation_is_publishable(regclass) bool stable
pg_relation_is_updatable(regclass,bool) int4 stable
pg_relation_size(regclass) int8 volatile
pg_relation_size(regclass,text) int8 volatile
pg_size_pretty(int8) text
pg_statistics_obj_is_visible(oid) bool stable
pg_table_is_visible(oid) bool stable
pg_table_size(regclass) int8 volatile
pg_tablespace_location(oid) text stable
pg_tablespace_size(name) int8 volatile
pg_tablespace_size(oid) int8 volatile
pg_total_relation_size(regclass) int8 volatile
pg_ts_config_is_visible(oid) bool stable
pg_ts_dict_is_visible(oid) bool stable
pg_ts_parser_is_visible(oid) bool stable
pg_ts_template_is_visible(oid) bool stable
pg_type_is_visible(oid) bool stable
regclass(text) regclass stable
row_security_active(oid) bool stable
row_security_active(text) bool stable
shobj_description(oid,name) text stable
to_regclass(text) regclass stable
to_regnamespace(text) regnamespace stable
to_regproc(text) regproc stable
to_regtype(text) regtype stable
`

// systemCastTable lists the casts of regclass and its kin, as castTable does.
const systemCastTable = `
oid regproc implicit -
regproc oid implicit -
int2 regproc implicit oid(int2)
int4 regproc implicit oid(int4)
int8 regproc implicit oid(int8)
regproc int4 assignment int4(oid)
regproc int8 assignment int8(oid)
oid regclass implicit -
regclass oid implicit -
int2 regclass implicit oid(int2)
int4 regclass implicit oid(int4)
int8 regclass implicit oid(int8)
regclass int4 assignment int4(oid)
regclass int8 assignment int8(oid)
oid regtype implicit -
regtype oid implicit -
int2 regtype implicit oid(int2)
int4 regtype implicit oid(int4)
int8 regtype implicit oid(int8)
regtype int4 assignment int4(oid)
regtype int8 assignment int8(oid)
oid regnamespace implicit -
regnamespace oid implicit -
int2 regnamespace implicit oid(int2)
int4 regnamespace implicit oid(int4)
int8 regnamespace implicit oid(int8)
regnamespace int4 assignment int4(oid)
regnamespace int8 assignment int8(oid)
text regclass implicit regclass(text)
varchar regclass implicit regclass(text)
`
