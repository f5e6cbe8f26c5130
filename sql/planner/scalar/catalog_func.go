package scalar

// functionTable lists the functions as pg_proc has them, one per line: name and
// argument types, result type, then notstrict, stable, volatile. A type followed
// by ... repeats. A function with default arguments has one line per arity.
//
// Formatting and conversion functions that PostgreSQL calls stable only because
// of lc_numeric, DateStyle or the output functions of their arguments are immutable here:
// those settings are fixed, and VolatilityOf looks at the arguments' types.
const functionTable = `
abs(float4) float4
abs(float8) float8
abs(int2) int2
abs(int4) int4
abs(int8) int8
abs(numeric) numeric
acos(float8) float8
acosh(float8) float8
age(timestamp) interval stable
age(timestamp,timestamp) interval
age(timestamptz) interval stable
age(timestamptz,timestamptz) interval
ascii(text) int4
asin(float8) float8
asinh(float8) float8
atan(float8) float8
atan2(float8,float8) float8
atanh(float8) float8
bit_count(bytea) int8
bit_length(bytea) int4
bit_length(text) int4
btrim(bytea,bytea) bytea
btrim(text) text
btrim(text,text) text
cbrt(float8) float8
ceil(float8) float8
ceil(numeric) numeric
ceiling(float8) float8
ceiling(numeric) numeric
char_length(bpchar) int4
char_length(text) int4
character_length(bpchar) int4
character_length(text) int4
chr(int4) text
clock_timestamp() timestamptz volatile
concat(any...) text notstrict
concat_ws(text,any...) text notstrict
convert_from(bytea,name) text
convert_to(text,name) bytea
cos(float8) float8
cosh(float8) float8
cot(float8) float8
current_catalog() name stable
current_database() name stable
current_date() date stable
current_role() name stable
current_schema() name stable
current_setting(text) text stable
current_setting(text,bool) text stable
current_time() timetz stable
current_time(int4) timetz stable
current_timestamp() timestamptz stable
current_timestamp(int4) timestamptz stable
current_user() name stable
date_bin(interval,timestamp,timestamp) timestamp
date_bin(interval,timestamptz,timestamptz) timestamptz
date_part(text,date) float8
date_part(text,interval) float8
date_part(text,time) float8
date_part(text,timestamp) float8
date_part(text,timestamptz) float8 stable
date_part(text,timetz) float8
date_trunc(text,interval) interval
date_trunc(text,timestamp) timestamp
date_trunc(text,timestamptz) timestamptz stable
date_trunc(text,timestamptz,text) timestamptz
decode(text,text) bytea
degrees(float8) float8
div(numeric,numeric) numeric
encode(bytea,text) text
exp(float8) float8
exp(numeric) numeric
extract(text,date) numeric
extract(text,interval) numeric
extract(text,time) numeric
extract(text,timestamp) numeric
extract(text,timestamptz) numeric stable
extract(text,timetz) numeric
factorial(int8) numeric
floor(float8) float8
floor(numeric) numeric
format(text) text notstrict
format(text,any...) text notstrict
gcd(int4,int4) int4
gcd(int8,int8) int8
gcd(numeric,numeric) numeric
gen_random_uuid() uuid volatile
get_bit(bytea,int8) int4
get_byte(bytea,int4) int4
getdatabaseencoding() name stable
initcap(text) text
isfinite(date) bool
isfinite(interval) bool
isfinite(timestamp) bool
isfinite(timestamptz) bool
json_array_length(json) int4
json_build_array() json
json_build_array(any...) json notstrict
json_build_object() json
json_build_object(any...) json notstrict
json_extract_path(json,text...) json
json_extract_path_text(json,text...) text
json_strip_nulls(json) json
json_typeof(json) text
jsonb_array_length(jsonb) int4
jsonb_build_array() jsonb
jsonb_build_array(any...) jsonb notstrict
jsonb_build_object() jsonb
jsonb_build_object(any...) jsonb notstrict
jsonb_extract_path(jsonb,text...) jsonb
jsonb_extract_path_text(jsonb,text...) text
jsonb_insert(jsonb,_text,jsonb) jsonb
jsonb_insert(jsonb,_text,jsonb,bool) jsonb
jsonb_pretty(jsonb) text
jsonb_set(jsonb,_text,jsonb) jsonb
jsonb_set(jsonb,_text,jsonb,bool) jsonb
jsonb_strip_nulls(jsonb) jsonb
jsonb_typeof(jsonb) text
justify_days(interval) interval
justify_hours(interval) interval
justify_interval(interval) interval
lcm(int4,int4) int4
lcm(int8,int8) int8
lcm(numeric,numeric) numeric
left(text,int4) text
length(bpchar) int4
length(bytea) int4
length(text) int4
like(bytea,bytea) bool
like(name,text) bool
like(text,text) bool
like_escape(bytea,bytea) bytea
like_escape(text,text) text
ln(float8) float8
ln(numeric) numeric
localtime() time stable
localtime(int4) time stable
localtimestamp() timestamp stable
localtimestamp(int4) timestamp stable
log(float8) float8
log(numeric) numeric
log(numeric,numeric) numeric
log10(float8) float8
log10(numeric) numeric
lower(text) text
lpad(text,int4) text
lpad(text,int4,text) text
ltrim(bytea,bytea) bytea
ltrim(text) text
ltrim(text,text) text
make_date(int4,int4,int4) date
make_interval() interval
make_interval(int4) interval
make_interval(int4,int4) interval
make_interval(int4,int4,int4) interval
make_interval(int4,int4,int4,int4) interval
make_interval(int4,int4,int4,int4,int4) interval
make_interval(int4,int4,int4,int4,int4,int4) interval
make_interval(int4,int4,int4,int4,int4,int4,float8) interval
make_time(int4,int4,float8) time
make_timestamp(int4,int4,int4,int4,int4,float8) timestamp
make_timestamptz(int4,int4,int4,int4,int4,float8) timestamptz stable
make_timestamptz(int4,int4,int4,int4,int4,float8,text) timestamptz
md5(bytea) text
md5(text) text
min_scale(numeric) int4
mod(int2,int2) int2
mod(int4,int4) int4
mod(int8,int8) int8
mod(numeric,numeric) numeric
notlike(bytea,bytea) bool
notlike(name,text) bool
notlike(text,text) bool
now() timestamptz stable
num_nonnulls(any...) int4 notstrict
num_nulls(any...) int4 notstrict
octet_length(bpchar) int4
octet_length(bytea) int4
octet_length(text) int4
overlaps(time,interval,time,interval) bool notstrict
overlaps(time,interval,time,time) bool notstrict
overlaps(time,time,time,interval) bool notstrict
overlaps(time,time,time,time) bool notstrict
overlaps(timestamp,interval,timestamp,interval) bool notstrict
overlaps(timestamp,interval,timestamp,timestamp) bool notstrict
overlaps(timestamp,timestamp,timestamp,interval) bool notstrict
overlaps(timestamp,timestamp,timestamp,timestamp) bool notstrict
overlaps(timestamptz,interval,timestamptz,interval) bool notstrict stable
overlaps(timestamptz,interval,timestamptz,timestamptz) bool notstrict stable
overlaps(timestamptz,timestamptz,timestamptz,interval) bool notstrict stable
overlaps(timestamptz,timestamptz,timestamptz,timestamptz) bool notstrict
overlaps(timetz,timetz,timetz,timetz) bool notstrict
overlay(bytea,bytea,int4) bytea
overlay(bytea,bytea,int4,int4) bytea
overlay(text,text,int4) text
overlay(text,text,int4,int4) text
pg_backend_pid() int4 stable
pg_client_encoding() name stable
pg_typeof(any) text notstrict
pi() float8
position(bytea,bytea) int4
position(text,text) int4
pow(float8,float8) float8
pow(numeric,numeric) numeric
power(float8,float8) float8
power(numeric,numeric) numeric
quote_ident(text) text
quote_literal(anyelement) text
quote_literal(text) text
quote_nullable(anyelement) text notstrict
quote_nullable(text) text notstrict
radians(float8) float8
random() float8 volatile
regexp_count(text,text) int4
regexp_count(text,text,int4) int4
regexp_count(text,text,int4,text) int4
regexp_instr(text,text) int4
regexp_instr(text,text,int4) int4
regexp_instr(text,text,int4,int4) int4
regexp_instr(text,text,int4,int4,int4) int4
regexp_instr(text,text,int4,int4,int4,text) int4
regexp_instr(text,text,int4,int4,int4,text,int4) int4
regexp_like(text,text) bool
regexp_like(text,text,text) bool
regexp_replace(text,text,text) text
regexp_replace(text,text,text,int4) text
regexp_replace(text,text,text,int4,int4) text
regexp_replace(text,text,text,int4,int4,text) text
regexp_replace(text,text,text,text) text
regexp_substr(text,text) text
regexp_substr(text,text,int4) text
regexp_substr(text,text,int4,int4) text
regexp_substr(text,text,int4,int4,text) text
regexp_substr(text,text,int4,int4,text,int4) text
repeat(text,int4) text
replace(text,text,text) text
reverse(text) text
right(text,int4) text
round(float8) float8
round(numeric) numeric
round(numeric,int4) numeric
rpad(text,int4) text
rpad(text,int4,text) text
rtrim(bytea,bytea) bytea
rtrim(text) text
rtrim(text,text) text
scale(numeric) int4
session_user() name stable
set_bit(bytea,int8,int4) bytea
set_byte(bytea,int4,int4) bytea
sha224(bytea) bytea
sha256(bytea) bytea
sha384(bytea) bytea
sha512(bytea) bytea
sign(float8) float8
sign(numeric) numeric
similar_to_escape(text) text
similar_to_escape(text,text) text
sin(float8) float8
sinh(float8) float8
split_part(text,text,int4) text
sqrt(float8) float8
sqrt(numeric) numeric
starts_with(text,text) bool
statement_timestamp() timestamptz stable
strpos(text,text) int4
substr(bytea,int4) bytea
substr(bytea,int4,int4) bytea
substr(text,int4) text
substr(text,int4,int4) text
substring(bytea,int4) bytea
substring(bytea,int4,int4) bytea
substring(text,int4) text
substring(text,int4,int4) text
substring(text,text) text
substring(text,text,text) text
tan(float8) float8
tanh(float8) float8
timezone(interval,timestamp) timestamptz
timezone(interval,timestamptz) timestamp
timezone(interval,timetz) timetz
timezone(text,timestamp) timestamptz
timezone(text,timestamptz) timestamp
timezone(text,timetz) timetz stable
to_char(float4,text) text
to_char(float8,text) text
to_char(int4,text) text
to_char(int8,text) text
to_char(interval,text) text
to_char(numeric,text) text
to_char(timestamp,text) text
to_char(timestamptz,text) text stable
to_date(text,text) date
to_hex(int4) text
to_hex(int8) text
to_json(anyelement) json
to_jsonb(anyelement) jsonb
to_number(text,text) numeric
to_timestamp(float8) timestamptz
to_timestamp(text,text) timestamptz stable
transaction_timestamp() timestamptz stable
translate(text,text,text) text
trim_scale(numeric) numeric
trunc(float8) float8
trunc(numeric) numeric
trunc(numeric,int4) numeric
upper(text) text
user() name stable
version() text stable
width_bucket(float8,float8,float8,int4) int4
width_bucket(numeric,numeric,numeric,int4) int4
`

// castFunctionTable lists the functions behind casts; they can be called by name, too.
const castFunctionTable = `
bool(int4) bool
bool(jsonb) bool
bpchar(bpchar,int4,bool) bpchar
bpchar(char) bpchar
bpchar(name) bpchar
char(int4) char
char(text) char
date(timestamp) date
date(timestamptz) date stable
float4(float8) float4
float4(int2) float4
float4(int4) float4
float4(int8) float4
float4(jsonb) float4
float4(numeric) float4
float8(float4) float8
float8(int2) float8
float8(int4) float8
float8(int8) float8
float8(jsonb) float8
float8(numeric) float8
int2(float4) int2
int2(float8) int2
int2(int4) int2
int2(int8) int2
int2(jsonb) int2
int2(numeric) int2
int4(bool) int4
int4(char) int4
int4(float4) int4
int4(float8) int4
int4(int2) int4
int4(int8) int4
int4(jsonb) int4
int4(numeric) int4
int8(float4) int8
int8(float8) int8
int8(int2) int8
int8(int4) int8
int8(jsonb) int8
int8(numeric) int8
int8(oid) int8
interval(interval,int4) interval
interval(time) interval
name(bpchar) name
name(text) name
name(varchar) name
numeric(float4) numeric
numeric(float8) numeric
numeric(int2) numeric
numeric(int4) numeric
numeric(int8) numeric
numeric(jsonb) numeric
numeric(numeric,int4) numeric
oid(int8) oid
text(bool) text
text(bpchar) text
text(char) text
text(name) text
time(interval) time
time(time,int4) time
time(timestamp) time
time(timestamptz) time stable
time(timetz) time
timestamp(date) timestamp
timestamp(date,time) timestamp
timestamp(timestamp,int4) timestamp
timestamp(timestamptz) timestamp stable
timestamptz(date) timestamptz stable
timestamptz(date,time) timestamptz stable
timestamptz(date,timetz) timestamptz
timestamptz(timestamp) timestamptz stable
timestamptz(timestamptz,int4) timestamptz
timetz(time) timetz stable
timetz(timestamptz) timetz stable
timetz(timetz,int4) timetz
varchar(name) varchar
varchar(varchar,int4,bool) varchar
oid(int4) oid
oid(int2) oid
int4(oid) int4
`
