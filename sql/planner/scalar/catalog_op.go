package scalar

// operatorTable lists the operators as pg_operator has them, one per line:
// symbol, function with argument types (one: prefix), result type, commutator
// or -, negator, stable.
const operatorTable = `
!~ bpcharregexne(bpchar,text) bool - ~
!~ nameregexne(name,text) bool - ~
!~ textregexne(text,text) bool - ~
!~* bpcharicregexne(bpchar,text) bool - ~*
!~* nameicregexne(name,text) bool - ~*
!~* texticregexne(text,text) bool - ~*
!~~ bpcharnlike(bpchar,text) bool - ~~
!~~ byteanlike(bytea,bytea) bool - ~~
!~~ namenlike(name,text) bool - ~~
!~~ textnlike(text,text) bool - ~~
!~~* bpcharicnlike(bpchar,text) bool - ~~*
!~~* nameicnlike(name,text) bool - ~~*
!~~* texticnlike(text,text) bool - ~~*
# int2xor(int2,int2) int2 #
# int4xor(int4,int4) int4 #
# int8xor(int8,int8) int8 #
#- jsonb_delete_path(jsonb,_text) jsonb
#> json_extract_path(json,_text) json
#> jsonb_extract_path(jsonb,_text) jsonb
#>> json_extract_path_text(json,_text) text
#>> jsonb_extract_path_text(jsonb,_text) text
% int2mod(int2,int2) int2
% int4mod(int4,int4) int4
% int8mod(int8,int8) int8
% numeric_mod(numeric,numeric) numeric
& int2and(int2,int2) int2 &
& int4and(int4,int4) int4 &
& int8and(int8,int8) int8 &
* float48mul(float4,float8) float8 *
* float4mul(float4,float4) float4 *
* float84mul(float8,float4) float8 *
* float8mul(float8,float8) float8 *
* int24mul(int2,int4) int4 *
* int28mul(int2,int8) int8 *
* int2mul(int2,int2) int2 *
* int42mul(int4,int2) int4 *
* int48mul(int4,int8) int8 *
* int4mul(int4,int4) int4 *
* int82mul(int8,int2) int8 *
* int84mul(int8,int4) int8 *
* int8mul(int8,int8) int8 *
* interval_mul(interval,float8) interval *
* mul_d_interval(float8,interval) interval *
* numeric_mul(numeric,numeric) numeric *
+ date_pl_interval(date,interval) timestamp +
+ date_pli(date,int4) date +
+ datetime_pl(date,time) timestamp +
+ datetimetz_pl(date,timetz) timestamptz +
+ float48pl(float4,float8) float8 +
+ float4pl(float4,float4) float4 +
+ float4up(float4) float4
+ float84pl(float8,float4) float8 +
+ float8pl(float8,float8) float8 +
+ float8up(float8) float8
+ int24pl(int2,int4) int4 +
+ int28pl(int2,int8) int8 +
+ int2pl(int2,int2) int2 +
+ int2up(int2) int2
+ int42pl(int4,int2) int4 +
+ int48pl(int4,int8) int8 +
+ int4pl(int4,int4) int4 +
+ int4up(int4) int4
+ int82pl(int8,int2) int8 +
+ int84pl(int8,int4) int8 +
+ int8pl(int8,int8) int8 +
+ int8up(int8) int8
+ integer_pl_date(int4,date) date +
+ interval_pl(interval,interval) interval +
+ interval_pl_date(interval,date) timestamp +
+ interval_pl_time(interval,time) time +
+ interval_pl_timestamp(interval,timestamp) timestamp +
+ interval_pl_timestamptz(interval,timestamptz) timestamptz + stable
+ interval_pl_timetz(interval,timetz) timetz +
+ numeric_add(numeric,numeric) numeric +
+ numeric_uplus(numeric) numeric
+ time_pl_interval(time,interval) time +
+ timedate_pl(time,date) timestamp +
+ timestamp_pl_interval(timestamp,interval) timestamp +
+ timestamptz_pl_interval(timestamptz,interval) timestamptz + stable
+ timetz_pl_interval(timetz,interval) timetz +
+ timetzdate_pl(timetz,date) timestamptz +
- date_mi(date,date) int4
- date_mi_interval(date,interval) timestamp
- date_mii(date,int4) date
- float48mi(float4,float8) float8
- float4mi(float4,float4) float4
- float4um(float4) float4
- float84mi(float8,float4) float8
- float8mi(float8,float8) float8
- float8um(float8) float8
- int24mi(int2,int4) int4
- int28mi(int2,int8) int8
- int2mi(int2,int2) int2
- int2um(int2) int2
- int42mi(int4,int2) int4
- int48mi(int4,int8) int8
- int4mi(int4,int4) int4
- int4um(int4) int4
- int82mi(int8,int2) int8
- int84mi(int8,int4) int8
- int8mi(int8,int8) int8
- int8um(int8) int8
- interval_mi(interval,interval) interval
- interval_um(interval) interval
- jsonb_delete(jsonb,_text) jsonb
- jsonb_delete(jsonb,int4) jsonb
- jsonb_delete(jsonb,text) jsonb
- numeric_sub(numeric,numeric) numeric
- numeric_uminus(numeric) numeric
- time_mi_interval(time,interval) time
- time_mi_time(time,time) interval
- timestamp_mi(timestamp,timestamp) interval
- timestamp_mi_interval(timestamp,interval) timestamp
- timestamptz_mi(timestamptz,timestamptz) interval
- timestamptz_mi_interval(timestamptz,interval) timestamptz stable
- timetz_mi_interval(timetz,interval) timetz
-> json_array_element(json,int4) json
-> json_object_field(json,text) json
-> jsonb_array_element(jsonb,int4) jsonb
-> jsonb_object_field(jsonb,text) jsonb
->> json_array_element_text(json,int4) text
->> json_object_field_text(json,text) text
->> jsonb_array_element_text(jsonb,int4) text
->> jsonb_object_field_text(jsonb,text) text
/ float48div(float4,float8) float8
/ float4div(float4,float4) float4
/ float84div(float8,float4) float8
/ float8div(float8,float8) float8
/ int24div(int2,int4) int4
/ int28div(int2,int8) int8
/ int2div(int2,int2) int2
/ int42div(int4,int2) int4
/ int48div(int4,int8) int8
/ int4div(int4,int4) int4
/ int82div(int8,int2) int8
/ int84div(int8,int4) int8
/ int8div(int8,int8) int8
/ interval_div(interval,float8) interval
/ numeric_div(numeric,numeric) numeric
< boollt(bool,bool) bool > >=
< bpcharlt(bpchar,bpchar) bool > >=
< bytealt(bytea,bytea) bool > >=
< charlt(char,char) bool > >=
< date_lt(date,date) bool > >=
< date_lt_timestamp(date,timestamp) bool > >=
< date_lt_timestamptz(date,timestamptz) bool > >= stable
< float48lt(float4,float8) bool > >=
< float4lt(float4,float4) bool > >=
< float84lt(float8,float4) bool > >=
< float8lt(float8,float8) bool > >=
< int24lt(int2,int4) bool > >=
< int28lt(int2,int8) bool > >=
< int2lt(int2,int2) bool > >=
< int42lt(int4,int2) bool > >=
< int48lt(int4,int8) bool > >=
< int4lt(int4,int4) bool > >=
< int82lt(int8,int2) bool > >=
< int84lt(int8,int4) bool > >=
< int8lt(int8,int8) bool > >=
< interval_lt(interval,interval) bool > >=
< jsonb_lt(jsonb,jsonb) bool > >=
< namelt(name,name) bool > >=
< namelttext(name,text) bool > >=
< numeric_lt(numeric,numeric) bool > >=
< oidlt(oid,oid) bool > >=
< text_lt(text,text) bool > >=
< textltname(text,name) bool > >=
< time_lt(time,time) bool > >=
< timestamp_lt(timestamp,timestamp) bool > >=
< timestamp_lt_date(timestamp,date) bool > >=
< timestamp_lt_timestamptz(timestamp,timestamptz) bool > >= stable
< timestamptz_lt(timestamptz,timestamptz) bool > >=
< timestamptz_lt_date(timestamptz,date) bool > >= stable
< timestamptz_lt_timestamp(timestamptz,timestamp) bool > >= stable
< timetz_lt(timetz,timetz) bool > >=
< uuid_lt(uuid,uuid) bool > >=
<< int2shl(int2,int4) int2
<< int4shl(int4,int4) int4
<< int8shl(int8,int4) int8
<= boolle(bool,bool) bool >= >
<= bpcharle(bpchar,bpchar) bool >= >
<= byteale(bytea,bytea) bool >= >
<= charle(char,char) bool >= >
<= date_le(date,date) bool >= >
<= date_le_timestamp(date,timestamp) bool >= >
<= date_le_timestamptz(date,timestamptz) bool >= > stable
<= float48le(float4,float8) bool >= >
<= float4le(float4,float4) bool >= >
<= float84le(float8,float4) bool >= >
<= float8le(float8,float8) bool >= >
<= int24le(int2,int4) bool >= >
<= int28le(int2,int8) bool >= >
<= int2le(int2,int2) bool >= >
<= int42le(int4,int2) bool >= >
<= int48le(int4,int8) bool >= >
<= int4le(int4,int4) bool >= >
<= int82le(int8,int2) bool >= >
<= int84le(int8,int4) bool >= >
<= int8le(int8,int8) bool >= >
<= interval_le(interval,interval) bool >= >
<= jsonb_le(jsonb,jsonb) bool >= >
<= namele(name,name) bool >= >
<= nameletext(name,text) bool >= >
<= numeric_le(numeric,numeric) bool >= >
<= oidle(oid,oid) bool >= >
<= text_le(text,text) bool >= >
<= textlename(text,name) bool >= >
<= time_le(time,time) bool >= >
<= timestamp_le(timestamp,timestamp) bool >= >
<= timestamp_le_date(timestamp,date) bool >= >
<= timestamp_le_timestamptz(timestamp,timestamptz) bool >= > stable
<= timestamptz_le(timestamptz,timestamptz) bool >= >
<= timestamptz_le_date(timestamptz,date) bool >= > stable
<= timestamptz_le_timestamp(timestamptz,timestamp) bool >= > stable
<= timetz_le(timetz,timetz) bool >= >
<= uuid_le(uuid,uuid) bool >= >
<> boolne(bool,bool) bool <> =
<> bpcharne(bpchar,bpchar) bool <> =
<> byteane(bytea,bytea) bool <> =
<> charne(char,char) bool <> =
<> date_ne(date,date) bool <> =
<> date_ne_timestamp(date,timestamp) bool <> =
<> date_ne_timestamptz(date,timestamptz) bool <> = stable
<> float48ne(float4,float8) bool <> =
<> float4ne(float4,float4) bool <> =
<> float84ne(float8,float4) bool <> =
<> float8ne(float8,float8) bool <> =
<> int24ne(int2,int4) bool <> =
<> int28ne(int2,int8) bool <> =
<> int2ne(int2,int2) bool <> =
<> int42ne(int4,int2) bool <> =
<> int48ne(int4,int8) bool <> =
<> int4ne(int4,int4) bool <> =
<> int82ne(int8,int2) bool <> =
<> int84ne(int8,int4) bool <> =
<> int8ne(int8,int8) bool <> =
<> interval_ne(interval,interval) bool <> =
<> jsonb_ne(jsonb,jsonb) bool <> =
<> namene(name,name) bool <> =
<> namenetext(name,text) bool <> =
<> numeric_ne(numeric,numeric) bool <> =
<> oidne(oid,oid) bool <> =
<> textne(text,text) bool <> =
<> textnename(text,name) bool <> =
<> time_ne(time,time) bool <> =
<> timestamp_ne(timestamp,timestamp) bool <> =
<> timestamp_ne_date(timestamp,date) bool <> =
<> timestamp_ne_timestamptz(timestamp,timestamptz) bool <> = stable
<> timestamptz_ne(timestamptz,timestamptz) bool <> =
<> timestamptz_ne_date(timestamptz,date) bool <> = stable
<> timestamptz_ne_timestamp(timestamptz,timestamp) bool <> = stable
<> timetz_ne(timetz,timetz) bool <> =
<> uuid_ne(uuid,uuid) bool <> =
<@ jsonb_contained(jsonb,jsonb) bool @>
= booleq(bool,bool) bool = <>
= bpchareq(bpchar,bpchar) bool = <>
= byteaeq(bytea,bytea) bool = <>
= chareq(char,char) bool = <>
= date_eq(date,date) bool = <>
= date_eq_timestamp(date,timestamp) bool = <>
= date_eq_timestamptz(date,timestamptz) bool = <> stable
= float48eq(float4,float8) bool = <>
= float4eq(float4,float4) bool = <>
= float84eq(float8,float4) bool = <>
= float8eq(float8,float8) bool = <>
= int24eq(int2,int4) bool = <>
= int28eq(int2,int8) bool = <>
= int2eq(int2,int2) bool = <>
= int42eq(int4,int2) bool = <>
= int48eq(int4,int8) bool = <>
= int4eq(int4,int4) bool = <>
= int82eq(int8,int2) bool = <>
= int84eq(int8,int4) bool = <>
= int8eq(int8,int8) bool = <>
= interval_eq(interval,interval) bool = <>
= jsonb_eq(jsonb,jsonb) bool = <>
= nameeq(name,name) bool = <>
= nameeqtext(name,text) bool = <>
= numeric_eq(numeric,numeric) bool = <>
= oideq(oid,oid) bool = <>
= texteq(text,text) bool = <>
= texteqname(text,name) bool = <>
= time_eq(time,time) bool = <>
= timestamp_eq(timestamp,timestamp) bool = <>
= timestamp_eq_date(timestamp,date) bool = <>
= timestamp_eq_timestamptz(timestamp,timestamptz) bool = <> stable
= timestamptz_eq(timestamptz,timestamptz) bool = <>
= timestamptz_eq_date(timestamptz,date) bool = <> stable
= timestamptz_eq_timestamp(timestamptz,timestamp) bool = <> stable
= timetz_eq(timetz,timetz) bool = <>
= uuid_eq(uuid,uuid) bool = <>
> boolgt(bool,bool) bool < <=
> bpchargt(bpchar,bpchar) bool < <=
> byteagt(bytea,bytea) bool < <=
> chargt(char,char) bool < <=
> date_gt(date,date) bool < <=
> date_gt_timestamp(date,timestamp) bool < <=
> date_gt_timestamptz(date,timestamptz) bool < <= stable
> float48gt(float4,float8) bool < <=
> float4gt(float4,float4) bool < <=
> float84gt(float8,float4) bool < <=
> float8gt(float8,float8) bool < <=
> int24gt(int2,int4) bool < <=
> int28gt(int2,int8) bool < <=
> int2gt(int2,int2) bool < <=
> int42gt(int4,int2) bool < <=
> int48gt(int4,int8) bool < <=
> int4gt(int4,int4) bool < <=
> int82gt(int8,int2) bool < <=
> int84gt(int8,int4) bool < <=
> int8gt(int8,int8) bool < <=
> interval_gt(interval,interval) bool < <=
> jsonb_gt(jsonb,jsonb) bool < <=
> namegt(name,name) bool < <=
> namegttext(name,text) bool < <=
> numeric_gt(numeric,numeric) bool < <=
> oidgt(oid,oid) bool < <=
> text_gt(text,text) bool < <=
> textgtname(text,name) bool < <=
> time_gt(time,time) bool < <=
> timestamp_gt(timestamp,timestamp) bool < <=
> timestamp_gt_date(timestamp,date) bool < <=
> timestamp_gt_timestamptz(timestamp,timestamptz) bool < <= stable
> timestamptz_gt(timestamptz,timestamptz) bool < <=
> timestamptz_gt_date(timestamptz,date) bool < <= stable
> timestamptz_gt_timestamp(timestamptz,timestamp) bool < <= stable
> timetz_gt(timetz,timetz) bool < <=
> uuid_gt(uuid,uuid) bool < <=
>= boolge(bool,bool) bool <= <
>= bpcharge(bpchar,bpchar) bool <= <
>= byteage(bytea,bytea) bool <= <
>= charge(char,char) bool <= <
>= date_ge(date,date) bool <= <
>= date_ge_timestamp(date,timestamp) bool <= <
>= date_ge_timestamptz(date,timestamptz) bool <= < stable
>= float48ge(float4,float8) bool <= <
>= float4ge(float4,float4) bool <= <
>= float84ge(float8,float4) bool <= <
>= float8ge(float8,float8) bool <= <
>= int24ge(int2,int4) bool <= <
>= int28ge(int2,int8) bool <= <
>= int2ge(int2,int2) bool <= <
>= int42ge(int4,int2) bool <= <
>= int48ge(int4,int8) bool <= <
>= int4ge(int4,int4) bool <= <
>= int82ge(int8,int2) bool <= <
>= int84ge(int8,int4) bool <= <
>= int8ge(int8,int8) bool <= <
>= interval_ge(interval,interval) bool <= <
>= jsonb_ge(jsonb,jsonb) bool <= <
>= namege(name,name) bool <= <
>= namegetext(name,text) bool <= <
>= numeric_ge(numeric,numeric) bool <= <
>= oidge(oid,oid) bool <= <
>= text_ge(text,text) bool <= <
>= textgename(text,name) bool <= <
>= time_ge(time,time) bool <= <
>= timestamp_ge(timestamp,timestamp) bool <= <
>= timestamp_ge_date(timestamp,date) bool <= <
>= timestamp_ge_timestamptz(timestamp,timestamptz) bool <= < stable
>= timestamptz_ge(timestamptz,timestamptz) bool <= <
>= timestamptz_ge_date(timestamptz,date) bool <= < stable
>= timestamptz_ge_timestamp(timestamptz,timestamp) bool <= < stable
>= timetz_ge(timetz,timetz) bool <= <
>= uuid_ge(uuid,uuid) bool <= <
>> int2shr(int2,int4) int2
>> int4shr(int4,int4) int4
>> int8shr(int8,int4) int8
? jsonb_exists(jsonb,text) bool
?& jsonb_exists_all(jsonb,_text) bool
?| jsonb_exists_any(jsonb,_text) bool
@ float4abs(float4) float4
@ float8abs(float8) float8
@ int2abs(int2) int2
@ int4abs(int4) int4
@ int8abs(int8) int8
@ numeric_abs(numeric) numeric
@> jsonb_contains(jsonb,jsonb) bool <@
^ dpow(float8,float8) float8
^ numeric_power(numeric,numeric) numeric
^@ text_starts_with(text,text) bool
| int2or(int2,int2) int2 |
| int4or(int4,int4) int4 |
| int8or(int8,int8) int8 |
|/ dsqrt(float8) float8
|| anytextcat(anyelement,text) text
|| byteacat(bytea,bytea) bytea
|| jsonb_concat(jsonb,jsonb) jsonb
|| textanycat(text,anyelement) text
|| textcat(text,text) text
||/ dcbrt(float8) float8
~ bpcharregexeq(bpchar,text) bool - !~
~ int2not(int2) int2
~ int4not(int4) int4
~ int8not(int8) int8
~ nameregexeq(name,text) bool - !~
~ textregexeq(text,text) bool - !~
~* bpcharicregexeq(bpchar,text) bool - !~*
~* nameicregexeq(name,text) bool - !~*
~* texticregexeq(text,text) bool - !~*
~~ bpcharlike(bpchar,text) bool - !~~
~~ bytealike(bytea,bytea) bool - !~~
~~ namelike(name,text) bool - !~~
~~ textlike(text,text) bool - !~~
~~* bpchariclike(bpchar,text) bool - !~~*
~~* nameiclike(name,text) bool - !~~*
~~* texticlike(text,text) bool - !~~*
`
