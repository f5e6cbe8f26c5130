package cdc

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// valuesByType has, by type, literals at the edges. Each is inserted before
// the snapshot and again after it, and read back as PostgreSQL prints it.
var valuesByType = map[string][]string{
	"bool":          {"true", "false"},
	"int2":          {"-32768", "32767", "0"},
	"int4":          {"-2147483648", "2147483647"},
	"int8":          {"-9223372036854775808", "9223372036854775807"},
	"oid":           {"0", "4294967295"},
	"float4":        {"0", "-0", "NaN", "Infinity", "-Infinity", "1e-45", "3.4028235e38", "0.1", "16777216", "1e-7", "123456.78"},
	"float8":        {"0", "-0", "NaN", "Infinity", "-Infinity", "5e-324", "1.7976931348623157e308", "0.1", "1e15", "1e16", "0.0001", "0.00001", "9007199254740993"},
	"numeric":       {"0", "0.00", "-0.000", "1.0", "1.00", "NaN", "Infinity", "-Infinity", "1e-100", "1e100", "12345678901234567890.123456789", "0.0001", "10000", "99999999", strings.Repeat("9", 1000), "-0." + strings.Repeat("0", 500) + "1"},
	"numeric(10,2)": {"12345678.90", "-0.01", "0", "NaN"},
	"numeric(3,-2)": {"12345", "-99900"},
	"numeric(3,5)":  {"0.00123"},
	"text":          {"", " ", "it''s", "tab\tnew\nline\\", "üñí€😀", strings.Repeat("x", 10000)},
	"varchar(5)":    {"", "abcde", "a  "},
	"char(5)":       {"", "ab", "abcde"},
	`"char"`:        {"a", ""},
	"name":          {"some_name", strings.Repeat("n", 63)},
	"bytea":         {"", `\x00`, `\xdeadbeef00ff`},
	"date":          {"2000-01-01", "0001-01-01", "4713-01-01 BC", "5874897-12-31", "infinity", "-infinity", "1999-12-31", "0044-03-15 BC"},
	"time":          {"00:00", "24:00", "23:59:59.999999", "12:34:56.1"},
	"time(2)":       {"12:34:56.789"},
	"timetz":        {"00:00+00", "23:59:59.999999-15:59", "12:00+05:30:15", "24:00:00+15:59"},
	"timestamp":     {"2000-01-01", "4713-01-01 00:00:00 BC", "294276-12-31 23:59:59.999999", "infinity", "-infinity", "1999-12-31 23:59:59.5", "0001-12-31 BC"},
	"timestamp(3)":  {"2024-02-29 12:34:56.7899"},
	"timestamptz":   {"2000-01-01+00", "4713-01-02 BC", "294276-12-31 23:59:59+00", "infinity", "-infinity", "2024-03-31 02:30:00+01:30"},
	"interval": {"0", "1 year -2 mons +3 days -04:05:06.789", "-178000000 years", "178000000 years", "1 mon", "-1 day", "00:00:00.000001",
		"-00:00:01", "2562047788:00:54.775807", "1 day -00:00:01", "-1 year -1 day"},
	"uuid":  {"00000000-0000-0000-0000-000000000000", "FFFFFFFF-ffff-ffff-ffff-ffffffffffff"},
	"json":  {`{"b": 1, "a":  [1, 2.50, null], "a": "x"}`, "null", `"\u00e9"`},
	"jsonb": {`{"bb": 1, "a":  [1, 2.50, null], "a": "x"}`, "null", `"\u00e9\n\""`, "1e3", "-0.0", "[]", "{}", "[[1], {}]", "12345678901234567890.10"},

	"bool[]":        {"{t,f,NULL}", "{}"},
	"int2[]":        {"{1,-32768}"},
	"int4[]":        {"{}", "{1,NULL,3}", "{{1,2},{3,4}}", "[-1:1]={7,8,9}"},
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
	"date[]":        {"{2000-01-01,infinity}"},
	"time[]":        {"{12:00:00.5}"},
	"timestamp[]":   {`{"2000-01-01 00:00:00"}`},
	"timestamptz[]": {`{"2000-01-01 00:00:00+05"}`},
	"interval[]":    {`{"1 day","-00:00:01"}`},
	"uuid[]":        {"{00000000-0000-0000-0000-000000000000}"},
	"json[]":        {`{"{\"a\": 1}"}`},
	"jsonb[]":       {`{"{\"a\": 1}"}`},

	"mood":           {"sad", "happy"},
	"mood[]":         {"{sad,happy}"},
	"positive":       {"1", "2147483647"},
	"amount":         {"12.50"},
	"amount2":        {"0.99"},
	"shorttext":      {"ab "},
	"pair":           {"(1,\"a b\")", "(,)", "(,\"\")"},
	"money":          {"-$92,233,720,368,547,758.08", "1.5"},
	"inet":           {"1.2.3.4", "10.0.0.0/8", "::1"},
	"cidr":           {"10.0.0.0/8"},
	"macaddr":        {"08:00:2b:01:02:03"},
	"bit(5)":         {"10101"},
	"bit varying":    {"", "1"},
	"int4range":      {"[1,5)", "empty", "(,)"},
	"numrange":       {"[1.0,1.00]"},
	"int4multirange": {"{[1,3), [5,6)}"},
	"point":          {"(1.5,-2)"},
	"xml":            {"<a>b</a>"},
	"tsvector":       {"a:1 b:2"},
	"tsquery":        {"a & !b"},
	"pg_lsn":         {"16/B374D848"},
	"regtype":        {"integer", "text"},
	"regclass":       {"pg_class"},
	"xid8":           {"42"},
	"jsonpath":       {"$.a"},
}

func TestTypes(t *testing.T) {
	t.Parallel()
	db := server.CreateDatabase(t)
	server.MustExec(t, db, `CREATE TYPE mood AS ENUM ('sad', 'happy'); CREATE DOMAIN positive AS int CHECK (value > 0);
		CREATE DOMAIN amount AS numeric(10,2); CREATE DOMAIN amount2 AS amount NOT NULL; CREATE DOMAIN shorttext AS char(5);
		CREATE TYPE pair AS (a int, b text)`)
	var ddl, dml strings.Builder
	ddl.WriteString("CREATE TABLE v (id int PRIMARY KEY")
	id := 0
	for i, typ := range slices.Sorted(maps.Keys(valuesByType)) {
		fmt.Fprintf(&ddl, ", c%d %s", i, typ)
		if typ == "amount2" {
			ddl.WriteString(" DEFAULT 3.10") // it forbids NULL
		}
		for _, v := range valuesByType[typ] {
			id++
			fmt.Fprintf(&dml, "INSERT INTO v (id, c%d) VALUES (%d, '%s'); ", i, id, v)
		}
	}
	sql := dml.String()
	server.MustExec(t, db, ddl.String()+", g int GENERATED ALWAYS AS (id * 2) STORED)")
	server.MustExec(t, db, sql)
	c := start(t, server, db, testConfig(server, db, "v"))
	c.same()
	if n := len(c.text(0)); n != id {
		t.Fatalf("%d rows, want %d", n, id)
	}
	before := c.text(0)
	c.exec("CREATE TABLE w AS SELECT * FROM v; TRUNCATE v")
	c.same()
	c.exec(sql)
	c.same()
	if after := c.text(0); !slices.Equal(before, after) {
		t.Fatalf("the stream's rows differ from the snapshot's:\n%s", difference(after, before))
	}
	c.mu.Lock()
	streamed := c.rows[0]
	c.rows[0] = nil
	c.mu.Unlock()
	c.stop()
	// And the packed rows are the same bytes either way.
	if err := DropSlot(t.Context(), c.cfg, false); err != nil {
		t.Fatal(err)
	}
	c.mirror = &mirror{}
	c.run(nil)
	c.same()
	c.mu.Lock()
	defer c.mu.Unlock()
	for r := range streamed {
		if c.rows[0][r] != 1 {
			t.Fatalf("row %x of the stream is not in the snapshot", r)
		}
	}
}
