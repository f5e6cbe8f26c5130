package types_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/helios-sql/helios-sql/internal/pgtest"
	"github.com/helios-sql/helios-sql/sql/pgerr"
	"github.com/helios-sql/helios-sql/sql/types"
)

// newRand gives the test's generator; HELIOS_SEED repeats a run.
func newRand(t testing.TB) *rand.Rand {
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("HELIOS_SEED"); s != "" {
		seed, _ = strconv.ParseUint(s, 10, 64)
	}
	t.Logf("HELIOS_SEED=%d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// server is the one PostgreSQL of all tests of the package, started by the first that asks.
var server struct {
	sync.Mutex
	*pgtest.Server
}

func TestMain(m *testing.M) {
	code := m.Run()
	if server.Server != nil {
		server.Close()
	}
	os.Exit(code)
}

// An oracle is a PostgreSQL that answers what we ought to.
type oracle struct{ *pgx.Conn }

// newOracle connects to the server: a session of its own, which keeps to temporary objects.
func newOracle(t *testing.T) oracle {
	server.Lock()
	defer server.Unlock()
	if server.Server == nil {
		var err error
		if server.Server, err = pgtest.Launch(pgtest.Options{}); err != nil {
			t.Fatal(err)
		}
	}
	o := oracle{server.MustConnect(t, "")}
	o.exec(t, `SET timezone = 'UTC'`)
	o.exec(t, `CREATE FUNCTION pg_temp.try(stmt text, input text) RETURNS text LANGUAGE plpgsql AS $$
		DECLARE r text;
		BEGIN
			EXECUTE format(stmt, input) INTO r;
			RETURN 'T' || coalesce(r, 'NULL');
		EXCEPTION WHEN OTHERS THEN
			RETURN 'E' || SQLSTATE || ' ' || SQLERRM;
		END $$`)
	return o
}

func (o oracle) exec(t *testing.T, sql string, args ...any) {
	t.Helper()
	if _, err := o.Exec(context.Background(), sql, args...); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// try runs a statement with %L for each input; an answer is T and the text or
// E, the SQLSTATE and the message.
func (o oracle) try(t *testing.T, stmt string, inputs []string) []string {
	t.Helper()
	rows, err := o.Query(context.Background(),
		`SELECT pg_temp.try($1, x) FROM unnest($2::text[]) WITH ORDINALITY AS u(x, n) ORDER BY n`, stmt, inputs)
	if err != nil {
		t.Fatal(err)
	}
	out, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatalf("%s: %v", stmt, err)
	}
	return out
}

// answer gives our own answer in the oracle's form.
func answer(text string, err error) string {
	if err != nil {
		return "E" + string(pgerr.CodeOf(err)) + " " + err.Error()
	}
	return "T" + text
}

// inOut parses and prints.
func inOut(f *types.Format, typ types.Type, in string) string {
	row, err := f.AppendFromText(nil, typ, []byte(in))
	if err != nil {
		return answer("", err)
	}
	if !types.Row(row).Check(1) {
		return "malformed row"
	}
	p, _ := types.Row(row).Value(0)
	return answer(string(f.AppendText(nil, typ.OID, p)), nil)
}

// A textCase is a type, inputs of it, and how many errors may differ.
type textCase struct {
	typ    types.Type
	inputs []string
}

func split(s string) []string { return strings.Split(s, "|") }

var textCases = []textCase{
	{types.T(types.Bool), split("t|true|TRUE|tr|y|yes|ye|on|1|f|false|fa|n|no|off|of|o|0|2|| true |truee|")},
	{types.T(types.Int2), split("0|1|-1|32767|-32768|32768|-32769| 12 |1 2|+5|--5||-|abc|1.0|99999999999999999999|1e3|0x10|٣")},
	{types.T(types.Int4), split("0|2147483647|-2147483648|2147483648|-2147483649|007|\t7\n|12a|")},
	{types.T(types.Int8), split("9223372036854775807|-9223372036854775808|9223372036854775808|-9223372036854775809|18446744073709551616|184467440737095516160| x")},
	{types.T(types.OIDType), split("0|1|4294967295|4294967296|-1|-2147483648|-2147483649|abc|")},
	{types.T(types.Float4), split("0|-0|1|1.5|1e6|999999|123456|1234567|1e-4|0.0001|0.00001|3.4028235e38|3.5e38|1e-45|1e-46|1e-50|nan|NaN|inf|-inf|Infinity|-Infinity|+infinity|1e|.5|5.|.|-|abc||16777216|16777217|8388608|8388609|33554432|1e10|9.5367432e-07|1_0| 1 |infin|1.17549e-38|2.5e-10|4194304.5")},
	{types.T(types.Float8), split("0|-0|1|1e15|1e14|123456789012345678|1e-4|0.00001|1e23|1e22|9007199254740993|5e-324|2e-324|4.9e-324|1.7976931348623157e308|1.8e308|-1e400|1e-400|0e500|NaN|-nan|infinity|0.1|0.3|3e22|.|+.5|1.e3|e5|1d5|0x1p3|0x1F|1 2|2.2250738585072011e-308|100000|1e5|123456.789")},
	{types.T(types.Numeric), split("0|-0|0.0|1|1.0|1.00|-1.50|.5|5.|.|-|+|1e5|1e-5|1.5e3|1.5e-3|1e131071|1e131072|1e-16383|1e-16384|1e2147483647|0e200000|0e-20|NaN|nan|-nan|Inf|-inf|+infinity|-Infinity|infinit| 12 |1 2|1e|1e+|1e5x|abc||9223372036854775807|9223372036854775808|-9223372036854775808|-9223372036854775809|99999999999999999999999.9999|000000000000000000000000012.50|0.000000000000000000000000000000000001|1..2|1.2.3|0x10|1_000|12345678901234567890123456789012345678901234567890.123456789")},
	{types.Type{OID: types.Numeric, Mod: types.NumericMod(5, 2)}, split("0|1|1.005|-1.005|999.99|999.995|999.994|1000|-1000|NaN|inf|0.001|0.005|12345678901234567890123|1e-20")},
	{types.Type{OID: types.Numeric, Mod: types.NumericMod(3, 5)}, split("0|0.00123|0.00999|0.009995|0.01|1|NaN")},
	{types.Type{OID: types.Numeric, Mod: types.NumericMod(3, -2)}, split("0|149|150|99949|99950|12345|-12350|NaN")},
	{types.Type{OID: types.Numeric, Mod: types.NumericMod(40, 10)}, split("1|123456789012345678901234567890.12345678905|1e30|-5.55555555555555")},
	{types.Type{OID: types.VarChar, Mod: 3 + 4}, split("|a|abc|abcd|abc  |äöü|äöüx|äöü ")},
	{types.Type{OID: types.BPChar, Mod: 3 + 4}, split("|a|abc|abcd|abc  |äöü|äöüx|ä")},
	{types.T(types.Name), []string{"", "a", strings.Repeat("x", 70), strings.Repeat("ä", 40)}},
	{types.T(types.Char), split("|a|ab|ä")},
	{types.T(types.Bytea), split(`|\x|\x00ff|\xDEADBEEF|\x de ad|\xf|\xzz|\xfz|abc|\\|\000\001\377|\400|\1|a\\b|\9|ä|\xä0`)},
	{types.T(types.UUID), split("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11|A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11|{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}|a0eebc999c0b4ef8bb6d6bb9bd380a11|a0ee-bc99-9c0b-4ef8-bb6d-6bb9-bd38-0a11|{a0eebc99-9c0b4ef8-bb6d6bb9-bd380a11}||x|a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a1|a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a112|{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11|a0eebc9-99c0b-4ef8-bb6d-6bb9bd380a11|a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11-")},
	{types.T(types.Date), split("2001-02-03|2001-2-3|20010203|010203|99-01-08|January 8, 1999|Jan 8 99|8 Jan 1999|1999-Jan-08|Jan-08-1999|08-Jan-1999|99-Jan-08|08-Jan-99|Jan-08-99|1/8/1999|1/18/1999|18/1/1999|01/02/03|1999.008|J2451187|January 8, 99 BC|0001-01-01|0000-01-01|0001-01-01 BC|4714-11-24 BC|4714-11-23 BC|5874897-12-31|5874898-01-01|infinity|-infinity|epoch|2001-02-29|2000-02-29|1900-02-29|2001-13-01|2001-04-31|2001-00-10|2001-01-00|10000-01-01|99999-12-31||abc|2001|2001-02|feb|2001-02-03 04:05:06|2001-02-03T04:05:06Z|Mon Feb 5 2001|Sunday, February 4 2001|2001-02-03 BC|2001 02 03|20010203T040506|sept 9 1999|Septembe 9 1999|2001/02/03|2001.02.03|J0|J-1|julian 2451187|2001-366|2000-366|2001.366|1999-01-08 +05|4/5/69|4/5/70|at 2001-01-01|2001-02-03 on")},
	{types.T(types.Time), split("04:05:06.789|04:05:06|04:05|040506|0405|04:05 AM|04:05 PM|12:00 AM|12:30 PM|13:00 PM|04:05:06.789-8|04:05:06-08:00|04:05-08:00|040506-08|040506+0730|04:05:06 PST|24:00:00|24:00:01|23:59:60|23:60:00|25:00:00|04:05:06.1234567|04:05:06.9999995|23:59:59.9999999|T040506|T04:05:06|2001-02-03 04:05:06|allballs|4:5:6||abc|04|4:5:6.|:05|04:|1 2|040506.789|04:05:06 America/New_York|2003-04-12 04:05:06 America/New_York|00:00:60|04:05:61|04:05:06 am pm|4 pm")},
	{types.T(types.TimeTZ), split("04:05:06.789-8|04:05:06-08:00|04:05-08:00|040506-08|040506+0730|04:05:06 PST|04:05:06 UTC|04:05:06 EDT|04:05:06+16|04:05:06+15:59|04:05:06+15:59:59|2003-04-12 04:05:06 America/New_York|2003-01-12 04:05:06 America/New_York|04:05:06|04:05:06.5 z|24:00:00-07|T040506-08|04:05:06 MET DST|04:05:06 zulu|allballs|")},
	{types.T(types.Timestamp), split("2001-02-03 04:05:06|2001-02-03 04:05:06.789|2001-02-03T04:05:06|2001-02-03T040506|20010203T040506|20010203 040506|2001-02-03|2001-02-03 04:05|2001-02-03 04:05:06.1234565|2001-02-03 04:05:06.123456499|1999-12-31 23:59:59.9999995|2001-02-03 24:00:00|2001-02-03 24:00:01|2001-02-03 23:59:60|Sat Feb 3 04:05:06 2001|Feb 3 04:05:06 2001 PST|Sat Feb 03 04:05:06 2001 BC|Feb 3 2001 4:05 PM|3 Feb 2001 04:05:06|infinity|-infinity|+infinity|epoch|epoch epoch|294276-12-31 23:59:59.999999|294277-01-01|4714-11-24 00:00:00 BC|4714-11-23 23:59:59 BC|2001-02-03 04:05:06+05|2001-02-03 04:05:06 Foo/Bar|2001-02-29 00:00:00|2001-02-03 25:00:00|2001-02-03 04:60:00||abc|2001-02-03 04:05:06 04:05:06|2001-02-03 2001-02-03|20010101 256070|J2451187 04:05|J2451187.5|1.5.2001 4:05|0099-01-01 00:00:00|99-01-01 00:00:00|04:05:06 2001-02-03|2001-02-03, 04:05|(2001-02-03)|2001-02-03 04:05:06.7.8|2001-02-03 04:05:06,789|2000-02-30 00:00:00|2001-02-03 04:05:06 +|2001-02-03  04:05:06")},
	{types.Type{OID: types.Timestamp, Mod: 3}, split("2001-02-03 04:05:06.1235|2001-02-03 04:05:06.1234999|1999-12-31 23:59:59.9995|1969-12-31 23:59:59.0005|infinity")},
	{types.Type{OID: types.Timestamp, Mod: 0}, split("2001-02-03 04:05:06.5|2001-02-03 04:05:05.5|1969-12-31 23:59:59.5|294276-12-31 23:59:59.5")},
	{types.Type{OID: types.Time, Mod: 2}, split("04:05:06.125|23:59:59.999|04:05:06.124999")},
	{types.T(types.TimestampTZ), split("2001-02-03 04:05:06+00|2001-02-03 04:05:06-08|2001-02-03 04:05:06+05:30|2001-02-03 04:05:06+05:30:15|2001-02-03 04:05:06 PST|2001-02-03 04:05:06 PDT|2001-07-03 04:05:06 America/New_York|2001-01-03 04:05:06 america/new_york|2001-02-03 04:05:06 Europe/Berlin|2001-02-03 04:05:06Z|2001-02-03T04:05:06.789Z|20010203T040506Z|20010203T040506-08|2001-02-03 04:05:06+1530|2001-02-03 04:05:06+16|2001-02-03 04:05:06+05:60|2001-02-03|infinity|-infinity|epoch|2001-02-03 allballs|2001-02-03 04:05:06 MSK|2012-02-03 04:05:06 MSK|2001-02-03 04:05:06 IST|2001-02-03 04:05:06 MET DST|1883-11-18 12:00:00 America/New_York|1883-11-18 12:03:59 America/New_York|1800-01-01 00:00:00 Europe/Amsterdam|2001-04-01 02:30:00 America/New_York|2001-10-28 01:30:00 America/New_York|2050-07-01 00:00 Europe/London|4714-11-24 00:00:00+00 BC|4714-11-24 00:00:00+01 BC|294276-12-31 23:59:59.999999+00|294276-12-31 23:59:59.999999-01|2001-02-03 04:05:06 Foo/Bar|Foo/Bar 2001-02-03|2001-02-03 04:05:06 XYZ|2001-02-03 04:05:06 UTC+3|2001-02-03 04:05:06 Etc/GMT+5|2001-02-03 04:05:06 EST5EDT|2001-02-03 04:05:06 +05:30|2001-02-03 04:05:06 GMT|2001-02-03 04:05:06 US/Pacific|2001-02-03 04:05:06 America/Port-au-Prince|2001-02-03 04:05:06 SGT|1970-02-03 04:05:06 SGT")},
	{types.T(types.Interval), split("1 day|1 days|-1 day|1 year 2 mons 3 days 04:05:06|1-2|-1-2|1-2 3 4:05:06|1 2:03:04|@ 1 year ago|1 year ago|P1Y2M3DT4H5M6S|P1Y|PT1.5S|P0.5Y|P1.5M|P1.5W|P1.5D|PT1.5H|P-1Y2M|P0001-02-03T04:05:06|P00010203T040506|P1W|PT|P|P1|P1-2|1.5 days|1.5 months|1.5 years|0.1 years|1.5 weeks|1.5 hours|0.5 seconds|1.0000005 seconds|1.0000015 seconds|1 millennium|2 centuries|3 decades|1 c|1 mil|1 h|1 m|1 s|1 ms|1 us|100 milliseconds|100 microseconds|5|1:02|1:02:03|-1:02:03|1:02.5|1:60:00|1:02:60|100:00:00|1 day -1:00:00|-1 day +1:00:00|1 month -1 day|-1 year -2 mons +3 days -04:05:06|1 day 1 day|1 hour 1 hour|1 2 days|3 days 2|00:00:00|0|| |abc|1 foo|infinity|1 year 1 year|2147483647 days|2147483648 days|178956970 years|178956971 years|-178956970 years|9223372036854775807 us|9223372036854775808 us|2562047788 hours|2562047789 hours|2562047788:00:54.775807|1 mon 1 month|1 day ago ago|ago|1e3 days|1.2.3 days|1 quarter|13 months|-13 months|25 hours|1 mons 32 days 25:00:00|1 week 2 days|1d 2h 3m 4s|1y 2mon|+1 day|- 1 day|+ 1 day|1 day 04:05|1 min 2.5 sec|1.5 ms|1.7 us|-0.5 us|P1Y2M3D T4H|P1DT|PT36H|-P1Y|P-1DT-1H|P1Y-2M|PT1:02:03|PT1:02|P1-2-3|P1-2T3:4|PT010203|1 year 2|1 hour 30|04:05:06 1 day|0.7 days|1.123456789 days|  1   day  ")},
	{types.Type{OID: types.Interval, Mod: mustMod("day to second", -1)}, split("1|1 day|1:02:03.5|1:2|1 year 1 day 1:02:03")},
	{types.Type{OID: types.Interval, Mod: mustMod("day", -1)}, split("1|1.5|1 day 5:00|-1.5 days")},
	{types.Type{OID: types.Interval, Mod: mustMod("year to month", -1)}, split("1|1-2|1 year 2 mons 3 days 4:05|-1-2")},
	{types.Type{OID: types.Interval, Mod: mustMod("year", -1)}, split("1|1-2|13 mons|-13 mons")},
	{types.Type{OID: types.Interval, Mod: mustMod("hour to minute", -1)}, split("1|1:02|1:02:03|1 day 1:02:59|-1:02:59")},
	{types.Type{OID: types.Interval, Mod: mustMod("minute to second", -1)}, split("1|1:02|1:02:03|1:02.5|70")},
	{types.Type{OID: types.Interval, Mod: mustMod("second", 2)}, split("1|1.005|1.015|1:02:03.456|-1.005")},
	{types.Type{OID: types.Interval, Mod: mustMod("", 3)}, split("1.0005|1 day 1.9996|-0.0005")},
	{types.T(types.JSON), split(`{}|[]|1|"a"|{"a":1, "b":[1,2,{"c":null}]}| { } |{"a":1,"a":2}|nul|truee|{"a"}|{"a":}|{a:1}|[1,]|[,1]|[1 2]|{"a":1,}|1 2||"\u0000"|"\ud800"|"\udc00"|"\ud83d\ude00"|"\x"|"abc|01|1.|.5|1e5|-|-1|+1|1e|{"a":1]|[1}|"a
b"|"\u12g4"|{1:2}|{"a" 1}|{,}|[]]|{}}|tru|-0|1E+400|"\/"|nullx|@|"\uZ"|[true,false,null]`)},
	{types.T(types.JSONB), split(`{}|[]|1|"a"|{"b":1, "a":[1,2,{"c":null}]}| { } |{"a":1,"a":2}|{"bb":1,"a":2,"c":3,"aa":4}|{"aa":1,"b":2,"aa":3}|nul|{"a"}|[1,]|"\u0000"|"\ud800"|"\udc00"|"\ud83d\ude00"|"\u00e4"|"\u001f"|"\t\n\r\b\f\\\"\/"|1.0|1.00|1e5|1.5e-3|-0|-0.0|1E+400|1e200000|"\u007f"|[true,false,null]|{"":1}|{"\u0061":1}|{"ä":1,"zz":2,"z":3}|[[[]]]|[{},{"a":{}}]|123456789012345678901234567890.1234567890|""`)},
	{types.T(types.Int4Array), split(`{}|{1,2,3}|{ 1 , 2 }|{1,NULL,3}|{{1,2},{3,4}}|{{1,2},{3}}|{{1},2}|[0:1]={1,2}|[1:2]={1,2}|[2:1]={1}|[1:3]={1,2}|[-1:1][2:3]={{1,2},{3,4},{5,6}}|{1,2|1,2}|{1,,2}|{1,}|{,}|{{}}|{{},{}}|{"1"}|{"1" }|{1 2}|{1}x|{1} ||{|{a}|{null}|{NuLl}|{"null"}|{99999999999}|[1]={1}|[2]={1,2}|{{{1}}}|{{1,2},{NULL,4}}`)},
	{types.T(types.TextArray), split(`{}|{a,b}|{"a","b c"}|{a b, c }|{"a\"b"}|{a\"b}|{a\,b}|{""}|{NULL,"NULL"}|{null}|{"a,b","{}"}|{\\}|{"\\"}|{a"b"}|{"a"b}|{ä}|{a\ }|{"a" , "b"}|{n\ull}|{'x'}|{a{b}|{a}}|{"a|{"x
y"}`)},
	{types.T(types.Float8Array), split(`{1,2.5,1e20,NaN,-inf}|{1.0}`)},
	{types.T(types.NumericArray), split(`{1.0,1.00,NULL,NaN}`)},
	{types.T(types.BoolArray), split(`{t,f,true,no}`)},
	{types.T(types.TimestampArray), split(`{"2001-02-03 04:05:06",infinity,2001-02-03}`)},
	{types.T(types.TimestampTZArray), split(`{"2001-02-03 04:05:06-08",infinity,2001-02-03}`)},
	{types.T(types.IntervalArray), split(`{1 day,1:02:03}`)},
	{types.T(types.ByteaArray), split(`{"\\x00ff",abc}`)},
	{types.T(types.JSONBArray), split(`{"{\"b\":1,\"a\":2}","[1, 2]",1}`)},
	{types.T(types.UUIDArray), split(`{a0eebc999c0b4ef8bb6d6bb9bd380a11,NULL}`)},
}

func mustMod(fields string, precision int) int32 {
	mod, ok := types.IntervalMod(fields, precision)
	if !ok {
		panic(fields)
	}
	return mod
}

// stmtFor gives a statement that assigns a literal to a column of the type.
func (o oracle) stmtFor(t *testing.T, typ types.Type, n int) string {
	o.exec(t, fmt.Sprintf(`CREATE TEMP TABLE t%d (v %s)`, n, typ))
	return fmt.Sprintf(`INSERT INTO t%d VALUES (%%L) RETURNING concat(v)`, n)
}

func TestTextAgainstPostgres(t *testing.T) {
	o := newOracle(t)
	f := &types.Format{}
	for n, c := range textCases {
		want := o.try(t, o.stmtFor(t, c.typ, n), c.inputs)
		for i, in := range c.inputs {
			if got := inOut(f, c.typ, in); got != want[i] {
				t.Errorf("%s %q\n  got  %s\n  want %s", c.typ, in, got, want[i])
			}
		}
	}
}
