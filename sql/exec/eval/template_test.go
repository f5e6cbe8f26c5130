package eval

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/helios-sql/helios-sql/sql/planner/scalar"
	"github.com/helios-sql/helios-sql/sql/types"
)

// pieces of random templates.
var (
	numberPieces = strings.Fields(`9 9 9 9 9 0 0 0 . , D G S MI PL SG PR TH th V L FM B - x "q" $ EEEE RN rn fm 99 999 9999`)
	datePieces   = strings.Fields(`YYYY YYYY YYY YY Y Y,YYY IYYY IYY IY I MM MM DD DD DDD IDDD D ID Q WW W IW CC J MONTH Month month MON Mon mon DAY Day day DY Dy dy
		HH HH12 HH24 MI SS MS US FF1 FF3 FF6 SSSS SSSSS AM pm A.M. p.m. AD bc A.D. b.c. RM rm TZH TZM OF TZ tz FM FM TM FX - / : . , T "text" \\"`)
	similarPieces = []string{"%", "%", "_", "a", "b", "c", "#\"", "#\"", "#%", "[a-c]", "(a|b)", "x", ",", " ", "é", "X*", "."}
	readPieces    = strings.Fields(`YYYY YYYY MM MM DD DD HH24 HH12 MI SS MS US FF3 FF6 Mon Month DY Day DDD IYYY IW ID WW W CC YY Y YYY Y,YYY J Q RM AM BC TZH TZM SSSS FM FX th`)
	separators    = []string{"", "", " ", "-", "/", ":", "  ", "."}
	dateInputs    = []string{"2024-02-29 12:13:14", "2024-02-29 01:13:14.567 PM", "05 Dec 2000", "5 december 97 BC", "20240230", "1-1-1", "2000 12 5 11", "99/1/31",
		"2451545", "12,345 03 01", "2023 366", "2024 60", "2005 01 7", "xii 1999", "  2020 -  6 - 7", "-44 3 15", "21 01", "Sunday 2020", "", "abc", "12:00:00+05:30",
		"2001 02 03 -4", "24:00:00", "86399", "1 2 3 4 5 6 7 8 9", "3000000000", "100000-01-01", "2024-13-01", "2011x12x18", "0 0 0", "20th 5th 2001", "pm 11 59", "12 am"}
	numberInputs = []string{"12,454.8-", "123", "-1.5", "$ 42", "<12.5>", "+7", " 1 2 3", "1,234,567.891", ".5", "5.", "", "abc", "-", "00012", "1.2.3", "12e5", "9 999", "12th", "é12", "- 5", "5 -", "34,50", "1+", "99999999999999999999.99"}
)

func pickOf(r *rand.Rand, list []string) string { return list[r.IntN(len(list))] }

func randomTemplate(r *rand.Rand, list []string, sep bool) string {
	var b strings.Builder
	for range 1 + r.IntN(6) {
		b.WriteString(pickOf(r, list))
		if sep {
			b.WriteString(pickOf(r, separators))
		}
	}
	return b.String()
}

// TestTemplates compares random templates of to_char, to_number, to_date and to_timestamp with PostgreSQL.
func TestTemplates(t *testing.T) {
	r := diffRand(t)
	var cases []diffCase
	add := func(id, first, second string) {
		fn := scalar.FuncByID(id)
		c := diffCase{fn: fn, args: []diffArg{{typ: fn.Args[0], text: first}, {typ: fn.Args[1], text: second}}}
		c.sql = c.render()
		cases = append(cases, c)
	}
	for range 4000 {
		typ := []types.OID{types.Int4, types.Int8, types.Float4, types.Float8, types.Numeric}[r.IntN(5)]
		value := pickOf(r, pools[typ])
		if r.IntN(2) == 0 {
			if fits := pickOf(r, []string{"0", "1", "12", "-12", "485", "-485", "1485", "3999", "12345", "0.1", "-0.1", "12.45", "148.5", "0.0005", "99.996", "-123456.789"}); !strings.Contains(fits, ".") || typ != types.Int4 && typ != types.Int8 {
				value = fits
			}
		}
		add("to_char("+typ.Name()+",text)", value, randomTemplate(r, numberPieces, false))
	}
	for range 3000 {
		typ := []types.OID{types.Timestamp, types.TimestampTZ, types.Interval}[r.IntN(3)]
		list := datePieces
		if typ == types.Interval && r.IntN(4) > 0 {
			list = strings.Fields("YYYY YYY YY Y Y,YYY IYYY IYY I MM DD DDD IDDD Q WW W IW CC J HH HH12 HH24 MI SS MS US FF2 SSSS AM FM FMMM th TH RM rm FMRM - :")
		}
		add("to_char("+typ.Name()+",text)", pickOf(r, pools[typ]), randomTemplate(r, list, true))
	}
	for range 2000 {
		add("to_number(text,text)", pickOf(r, numberInputs), randomTemplate(r, numberPieces, false))
	}
	for range 5000 {
		id := []string{"to_date(text,text)", "to_timestamp(text,text)"}[r.IntN(2)]
		add(id, pickOf(r, dateInputs), randomTemplate(r, readPieces, true))
	}
	for range 1000 {
		fn := scalar.FuncByID("substring(text,text,text)")
		c := diffCase{fn: fn, args: []diffArg{{typ: types.Text, text: pickOf(r, pools[types.Text])}, {typ: types.Text, text: randomTemplate(r, similarPieces, false)}, {typ: types.Text, text: "#"}}}
		c.sql = c.render()
		cases = append(cases, c)
	}
	compareCases(t, cases)
}
