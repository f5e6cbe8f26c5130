package pgtest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// values has, by type, literals at the edges, quoted as within '…'.
var values = map[string][]string{
	"bool":   {"true", "false"},
	"int2":   {"-32768", "32767", "0"},
	"int4":   {"-2147483648", "2147483647"},
	"int8":   {"-9223372036854775808", "9223372036854775807"},
	"oid":    {"0", "4294967295"},
	"float4": {"0", "-0", "NaN", "Infinity", "-Infinity", "1e-45", "3.4028235e38", "0.1", "16777216", "1e-7", "123456.78"},
	"float8": {"0", "-0", "NaN", "Infinity", "-Infinity", "5e-324", "1.7976931348623157e308", "0.1", "1e15", "1e16", "0.0001", "0.00001", "9007199254740993"},
	"numeric": {"0", "0.00", "-0.000", "1.0", "1.00", "NaN", "Infinity", "-Infinity", "1e-100", "1e100", "12345678901234567890.123456789", "0.0001", "10000", "99999999", strings.Repeat("9", 1000), "-0." + strings.Repeat("0", 500) + "1",
		"-" + strings.Repeat("7", 131072) + "." + strings.Repeat("3", 16383)},
	"numeric(10,2)": {"12345678.90", "-0.01", "0", "NaN"},
	"text":          {"", " ", "it''s", "tab\tnew\nline\\", "üñí€😀", strings.Repeat("x", 10000)},
	"varchar(5)":    {"", "abcde", "a  "},
	"char(5)":       {"", "ab", "abcde"},
	`"char"`:        {"a", "", `\101`, `\377`},
	"name":          {"some_name", strings.Repeat("n", 63)},
	"bytea":         {"", `\x00`, `\xdeadbeef00ff`},
	"date":          {"2000-01-01", "0001-01-01", "4713-01-01 BC", "5874897-12-31", "infinity", "-infinity", "1999-12-31", "0044-03-15 BC"},
	"time":          {"00:00", "24:00", "23:59:59.999999", "12:34:56.1"},
	"time(2)":       {"12:34:56.789"},
	"timetz":        {"00:00+00", "23:59:59.999999-15:59", "12:00+05:30:15", "24:00:00+15:59"},
	"timestamp":     {"2000-01-01", "4714-11-24 BC", "4713-01-01 00:00:00 BC", "294276-12-31 23:59:59.999999", "infinity", "-infinity", "1999-12-31 23:59:59.5", "0001-12-31 BC"},
	"timestamp(3)":  {"2024-02-29 12:34:56.7899"},
	"timestamptz":   {"2000-01-01+00", "4714-11-24 BC", "4713-01-02 BC", "294276-12-31 23:59:59+00", "infinity", "-infinity", "2024-03-31 02:30:00+01:30"},
	"interval": {"0", "1 year -2 mons +3 days -04:05:06.789", "-178000000 years", "178000000 years", "1 mon", "-1 day", "00:00:00.000001",
		"-00:00:01", "1 day -00:00:01", "-1 year -1 day"},
	"uuid":  {"00000000-0000-0000-0000-000000000000", "FFFFFFFF-ffff-ffff-ffff-ffffffffffff"},
	"json":  {`{"b": 1, "a":  [1, 2.50, null], "a": "x"}`, "null", `"\u00e9"`},
	"jsonb": {`{"bb": 1, "a":  [1, 2.50, null], "a": "x"}`, "null", `"\u00e9\n\""`, "1e3", "-0.0", "[]", "{}", "[[1], {}]", "12345678901234567890.10"},

	"bool[]":        {"{t,f,NULL}", "{}", "{NULL}", "{{t},{NULL}}"},
	"int2[]":        {"{1,-32768}"},
	"int4[]":        {"{}", "{NULL}", "{1,NULL,3}", "{{1,2},{3,4}}", "[-1:1]={7,8,9}", "{{{{{{1}}}}}}"},
	"int8[]":        {"{9223372036854775807}"},
	"oid[]":         {"{4294967295}"},
	"float4[]":      {"{NaN,0.1}"},
	"float8[]":      {"{-Infinity,1e16}"},
	"numeric[]":     {"{1.0,1.00,NaN}"},
	"text[]":        {`{a,"b c","d\"e",NULL,"NULL",""}`, `{{a,b},{"c,d","{e}"}}`, `{"back\\\\slash"}`},
	"varchar(3)[]":  {"{abc,d}"},
	"char(3)[]":     {"{ab,c}"},
	"bytea[]":       {`{"\\\\x00ff"}`},
	"name[]":        {"{a}"},
	"date[]":        {"{2000-01-01,infinity,\"0044-03-15 BC\"}"},
	"time[]":        {"{12:00:00.5}"},
	"timestamp[]":   {`{"2000-01-01 00:00:00"}`},
	"timestamptz[]": {`{"2000-01-01 00:00:00+05",infinity,-infinity}`},
	"interval[]":    {`{"1 day","-00:00:01"}`},
	"uuid[]":        {"{00000000-0000-0000-0000-000000000000}"},
	"json[]":        {`{"{\"a\": 1}"}`},
	"jsonb[]":       {`{"{\"a\": 1}"}`},

	"mood":           {"sad", "happy", "it''s \"so\", (so)"},
	"mood[]":         {`{sad,happy,NULL,"it''s \"so\", (so)"}`, "{}"},
	"positive":       {"1", "2147483647"},
	"positive[]":     {"{1,NULL,2147483647}"},
	"amount":         {"12.50"},
	"amount2":        {"0.99"},
	"shorttext":      {"ab "},
	"marks":          {"{1,2,3}", "{}"},
	"happiness":      {"happy"},
	"pair":           {"(1,\"a b\")", "(,)", "(,\"\")", `(7,"\"q\"\\")`},
	"pair[]":         {`{"(1,\"a b\")",NULL}`},
	"nest":           {`("(1,\"a b\")","{1,2}",happy)`, `(,"{}",)`},
	"goodpair":       {"(1,x)"},
	"money":          {"-$92,233,720,368,547,758.08", "92233720368547758.07", "1.5", "0"},
	"money[]":        {`{1.5,"$1,234.56"}`},
	"inet":           {"1.2.3.4", "10.0.0.0/8", "::1", "2001:db8::1/64", "::ffff:1.2.3.4"},
	"cidr":           {"10.0.0.0/8", "0.0.0.0/0", "2001:db8::/32"},
	"macaddr":        {"08:00:2b:01:02:03", "ff:ff:ff:ff:ff:ff"},
	"macaddr8":       {"08:00:2b:01:02:03:04:05"},
	"bit(1)":         {"0", "1"},
	"bit(5)":         {"10101"},
	"bit varying":    {"", "1", strings.Repeat("10", 1000)},
	"bit varying(3)": {"", "101"},
	"int4range":      {"[1,5)", "empty", "(,)", "[5,)"},
	"int8range":      {"[-9223372036854775808,9223372036854775807)"},
	"numrange":       {"[1.0,1.00]", "(,NaN)"},
	"daterange":      {"[2000-01-01,infinity)", `["0044-03-15 BC",2000-01-01)`},
	"tsrange":        {`["2000-01-01 00:00:00","294276-12-31 23:59:59.999999"]`, "[-infinity,infinity]"},
	"tstzrange":      {`["2000-01-01 00:00:00+05",)`},
	"moodrange":      {"[sad,happy)"},
	"int4range[]":    {`{"[1,5)",empty,NULL}`},
	"int4multirange": {"{[1,3), [5,6)}", "{}"},
	"nummultirange":  {"{[1.5,2.50]}"},
	"tsmultirange":   {`{["2000-01-01 00:00:00","2000-01-02 00:00:00")}`},
	"point":          {"(1.5,-2)", "(NaN,Infinity)"},
	"box":            {"(1,1),(0,0)"},
	"line":           {"{1,-1,0.5}"},
	"lseg":           {"[(0,0),(1,1e300)]"},
	"path":           {"[(0,0),(1,1)]", "((0,0),(1,1))"},
	"polygon":        {"((0,0),(1,1),(2,0))"},
	"circle":         {"<(0,0),5>"},
	"tsvector":       {"a:1 b:2", "", "''it''''s'':1A,2B"},
	"tsquery":        {"a & !b", "''foo'' <-> ''bar'':*"},
	"pg_lsn":         {"16/B374D848", "0/0", "FFFFFFFF/FFFFFFFF"},
	"pg_snapshot":    {"10:20:10,14,15"},
	"regtype":        {"integer", "text"},
	"regclass":       {"pg_class"},
	"regproc":        {"now"},
	"regrole":        {"postgres"},
	"regnamespace":   {"pg_catalog"},
	"xid":            {"42", "4294967295"},
	"xid8":           {"42", "18446744073709551615"},
	"tid":            {"(0,1)"},
	"int2vector":     {"1 2 3", ""},
	"oidvector":      {"1 4294967295"},
	"jsonpath":       {"$.a"},
}

// optional are types that not every server has, by what has to hold there.
var optional = []struct {
	holds, setup string
	values       map[string][]string
}{
	{"SELECT 1 FROM pg_available_extensions WHERE name = 'hstore'", "CREATE EXTENSION hstore", map[string][]string{
		"hstore":   {`"a"=>"1", "b"=>NULL, "q\"x"=>"\\"`, ""},
		"hstore[]": {`{"\"a\"=>\"1\"",NULL}`}}},
	{"SELECT 1 FROM pg_available_extensions WHERE name = 'citext'", "CREATE EXTENSION citext", map[string][]string{
		"citext":   {"MiXed", "", "üÑ"},
		"citext[]": {"{A,b,NULL}"}}},
	{"SELECT 1 FROM pg_available_extensions WHERE name = 'ltree'", "CREATE EXTENSION ltree", map[string][]string{"ltree": {"Top.Science.Astronomy"}}},
	{"SELECT 1 FROM pg_available_extensions WHERE name = 'cube'", "CREATE EXTENSION cube", map[string][]string{"cube": {"(1, 2),(3, 4)"}}},
	{"SELECT 1 WHERE current_setting('server_version_num')::int >= 150000", "", map[string][]string{
		"numeric(3,-2)": {"12345", "-99900"},
		"numeric(3,5)":  {"0.00123"},
		"interval(6)":   {"2562047788:00:54.775807"}}},
	{"SELECT 1 WHERE XMLPARSE(CONTENT '<a/>') IS NOT NULL", "", map[string][]string{
		"xml":   {"<a>b</a>", "text &amp; <b/>", "<?xml version=\"1.0\"?><a/>"},
		"xml[]": {"{<a/>}"}}},
}

// ValuesTable makes types in a database and gives the statement that creates
// table v (id int PRIMARY KEY, …, g a generated column) with a column of every
// type that the server has, and statements that insert n rows with one value each.
func (s *Server) ValuesTable(t testing.TB, db string) (create, insert string, n int) {
	t.Helper()
	s.MustExec(t, db, `CREATE TYPE mood AS ENUM ('sad', 'it''s "so", (so)', 'happy'); CREATE DOMAIN positive AS int CHECK (value > 0);
		CREATE DOMAIN amount AS numeric(10,2); CREATE DOMAIN amount2 AS amount NOT NULL; CREATE DOMAIN shorttext AS char(5);
		CREATE DOMAIN marks AS int[] CHECK (array_ndims(value) IS DISTINCT FROM 2); CREATE DOMAIN happiness AS mood;
		CREATE TYPE pair AS (a int, b text); CREATE TYPE nest AS (p pair, a int[], m mood); CREATE DOMAIN goodpair AS pair;
		CREATE TYPE moodrange AS RANGE (subtype = mood)`)
	out := maps.Clone(values)
	for _, o := range optional {
		if err := s.Exec(t.Context(), db, "SELECT 1 / (SELECT count(*) FROM ("+o.holds+") x)"); err != nil {
			t.Logf("the server has no such type: %s: %v", o.holds, err)
			continue
		}
		if o.setup != "" {
			s.MustExec(t, db, o.setup)
		}
		maps.Copy(out, o.values)
	}
	var ddl, dml strings.Builder
	ddl.WriteString("CREATE TABLE v (id int PRIMARY KEY")
	for i, typ := range slices.Sorted(maps.Keys(out)) {
		fmt.Fprintf(&ddl, ", c%d %s", i, typ)
		if typ == "amount2" {
			ddl.WriteString(" DEFAULT 3.10") // it forbids NULL
		}
		for _, v := range out[typ] {
			n++
			fmt.Fprintf(&dml, "INSERT INTO v (id, c%d) VALUES (%d, '%s'); ", i, n, v)
		}
	}
	return ddl.String() + ", g int GENERATED ALWAYS AS (id * 2) STORED)", dml.String(), n
}
