package eval

import (
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/helios-sql/helios-sql/sql/pgerr"
)

// A charReader reads a date and time as a template says. Fields are as
// written; 0 says that one was not given, as in PostgreSQL.
type charReader struct {
	src  string // all of the input
	in   string // what is left of it
	mode byte   // 'g' or 'i' once a field decides on one calendar

	hour, min, sec, ssss       int32
	ms, us                     int32
	pm, twelve                 int32 // 1: true
	year, yearSize, bc, cc     int32
	month, week, weekOfMonth   int32
	day, weekday, yday, julian int32
	precision                  int32
	zoneSign, zoneHour         int32
	zoneMin                    int32
}

func errCharValue(text, key, detail string) error {
	return pgerr.Newf(pgerr.InvalidDatetimeFormat, "invalid value \"%s\" for \"%s\"", text, key).WithDetail("%s", detail)
}

const hintFM = "If your source string is not fixed-width, try using the \"FM\" modifier."

// skipBlanks passes blanks and counts them.
func (r *charReader) skipBlanks() int {
	n := 0
	for n < len(r.in) && isBlank(r.in[n]) {
		n++
	}
	r.in = r.in[n:]
	return n
}

// char passes one character.
func (r *charReader) char() {
	_, w := utf8.DecodeRuneInString(r.in)
	r.in = r.in[w:]
}

// read matches the input with a template's nodes. Unless FX is in force, blanks may
// stand before and behind fields, and separators match each other or nothing.
func (r *charReader) read(t *template) error {
	exact, extra := false, 0
	for i := 0; i < len(t.nodes) && r.in != ""; i++ {
		n := &t.nodes[i]
		if !exact && (n.kind != nodeField || n.key.upper != "FX") && (n.kind == nodeField || i == 0) {
			if extra += r.skipBlanks(); r.in == "" && n.kind != nodeField {
				return nil
			}
		}
		switch {
		case n.kind == nodeSpace || n.kind == nodeSeparator:
			if exact {
				r.char()
				continue
			}
			extra--
			if isBlank(r.in[0]) || isSeparator(r.in[0]) {
				r.in = r.in[1:]
				extra++
			}
			continue
		case n.kind == nodeChar:
			if !exact && extra > 0 {
				extra--
			} else {
				r.char()
			}
			continue
		}
		if m := n.key.mode; m != 0 {
			if r.mode != 0 && r.mode != m {
				return pgerr.Newf(pgerr.InvalidDatetimeFormat, "invalid combination of date conventions").
					WithHint("Do not mix Gregorian and ISO week date conventions in a formatting template.")
			}
			r.mode = m
		}
		if n.key.upper == "FX" {
			exact = true
		} else if err := r.field(n, nextIsText(t, i), extra); err != nil {
			return err
		}
		if !exact {
			extra = r.skipBlanks()
		}
	}
	return nil
}

// nextIsText says that no digit can follow the field at i, so that it may be of any length.
func nextIsText(t *template, i int) bool {
	if t.nodes[i].ordinal != "" || i+1 == len(t.nodes) {
		return true
	}
	n := &t.nodes[i+1]
	if n.kind == nodeField {
		return !n.key.digit
	}
	return n.text[0] < '0' || n.text[0] > '9'
}

// set stores a field; two that differ contradict each other.
func (n *templateNode) set(dest *int32, v int32) error {
	if *dest != 0 && *dest != v {
		return pgerr.Newf(pgerr.InvalidDatetimeFormat, "conflicting values for \"%s\" field in formatting string", n.key.name).
			WithDetail("This value contradicts a previous setting for the same field type.")
	}
	*dest = v
	return nil
}

// number reads an integer of width characters, or of as many as there are where
// text follows or FM is there. It gives the number of characters read.
func (r *charReader) number(n *templateNode, dest *int32, width int, free bool) (int, error) {
	init := r.in
	r.skipBlanks()
	piece := r.in[:min(width, len(r.in))]
	var v int64
	var ok bool
	if n.fill || free {
		var used int
		if v, used, ok = leadingInt(init); used == 0 {
			r.in = init
		} else {
			r.in = init[used:]
		}
	} else {
		if len(r.in) < width {
			return 0, pgerr.Newf(pgerr.InvalidDatetimeFormat, "source string too short for \"%s\" formatting field", n.key.name).
				WithDetail("Field requires %d characters, but only %d remain.", width, len(r.in)).WithHint(hintFM)
		}
		var used int
		if v, used, ok = leadingInt(piece); used > 0 && used < width {
			return 0, pgerr.Newf(pgerr.InvalidDatetimeFormat, "invalid value \"%s\" for \"%s\"", piece, n.key.name).
				WithDetail("Field requires %d characters, but only %d could be parsed.", width, used).WithHint(hintFM)
		}
		r.in = r.in[used:]
	}
	used := len(init) - len(r.in)
	if used == 0 {
		return 0, errCharValue(piece, n.key.name, "Value must be an integer.")
	}
	if !ok || v != int64(int32(v)) {
		return 0, pgerr.Newf(pgerr.DatetimeFieldOverflow, "value for \"%s\" in source string is out of range", n.key.name).
			WithDetail("Value must be in the range %d to %d.", math.MinInt32, math.MaxInt32)
	}
	return used, n.set(dest, int32(v))
}

// leadingInt reads an integer as C's strtol does; false: it is out of range.
func leadingInt(s string) (v int64, used int, ok bool) {
	i := 0
	for i < len(s) && isBlank(s[i]) {
		i++
	}
	start := i
	if i < len(s) && (s[i] == '-' || s[i] == '+') {
		i++
	}
	digits := i
	for i < len(s) && '0' <= s[i] && s[i] <= '9' {
		i++
	}
	if i == digits {
		return 0, 0, true
	}
	v, err := strconv.ParseInt(s[start:i], 10, 64)
	return v, i, err == nil
}

// name reads one of names in any case of letters, of each the first size letters (0: all), and gives its number.
func (r *charReader) name(n *templateNode, names []string, size int) (int32, error) {
	for i, name := range names {
		if size > 0 {
			name = name[:size]
		}
		if len(r.in) >= len(name) && strings.EqualFold(r.in[:len(name)], name) {
			r.in = r.in[len(name):]
			return int32(i), nil
		}
	}
	text := r.in
	if i := strings.IndexAny(text, " \t\n\r\f"); i >= 0 {
		text = text[:i]
	}
	return 0, errCharValue(text, n.key.name, "The given value did not match any of the allowed values for this field.")
}

var (
	halves      = []string{"am", "pm"}
	dottedHalfs = []string{"a.m.", "p.m."}
	eras        = []string{"ad", "bc"}
	dottedEras  = []string{"a.d.", "b.c."}
	// those that are prefixes of others come last
	romanReversed = []string{"xii", "xi", "x", "ix", "viii", "vii", "vi", "v", "iv", "iii", "ii", "i"}
)

// field reads one keyword's value.
func (r *charReader) field(n *templateNode, free bool, extra int) error {
	switch key := n.key.upper; key {
	case "AM", "PM":
		return r.half(n, halves)
	case "A.M.", "P.M.":
		return r.half(n, dottedHalfs)
	case "AD", "BC":
		return r.named(n, &r.bc, eras, 0, 0)
	case "A.D.", "B.C.":
		return r.named(n, &r.bc, dottedEras, 0, 0)
	case "MONTH":
		return r.named(n, &r.month, monthNames[:], 0, 1)
	case "MON":
		return r.named(n, &r.month, monthNames[:], 3, 1)
	case "RM":
		v, err := r.name(n, romanReversed, 0)
		if err != nil {
			return err
		}
		return n.set(&r.month, 12-v)
	case "DAY", "DY":
		size := 0
		if key == "DY" {
			size = 3
		}
		err := r.named(n, &r.weekday, dayNames[:], size, 0)
		r.weekday++
		return err
	case "TZ", "OF":
		return pgerr.Newf(pgerr.FeatureNotSupported, "formatting field \"%s\" is only supported in to_char", n.key.name)
	case "TZH":
		r.zoneSign = 1
		if c := r.in; c != "" && (c[0] == '+' || c[0] == '-' || c[0] == ' ') {
			if c[0] == '-' {
				r.zoneSign = -1
			}
			r.in = c[1:]
		} else if extra > 0 && r.src[len(r.src)-len(r.in)-1] == '-' {
			r.zoneSign = -1
		}
		_, err := r.number(n, &r.zoneHour, 2, free)
		return err
	case "TZM":
		if r.zoneSign == 0 {
			r.zoneSign = 1
		}
		_, err := r.number(n, &r.zoneMin, 2, free)
		return err
	}
	if err := r.numberField(n, free); err != nil {
		return err
	}
	if n.ordinal != "" {
		r.char()
		r.char()
	}
	return nil
}

func (r *charReader) half(n *templateNode, names []string) error {
	r.twelve = 1
	return r.named(n, &r.pm, names, 0, 0)
}

func (r *charReader) named(n *templateNode, dest *int32, names []string, size int, first int32) error {
	v, err := r.name(n, names, size)
	if err != nil {
		return err
	}
	return n.set(dest, v+first)
}

// numberField reads a field that is a number.
func (r *charReader) numberField(n *templateNode, free bool) error {
	var ignored int32
	width := len(n.key.name)
	dest := &ignored
	switch key := n.key.upper; key {
	case "HH", "HH12":
		_, err := r.number(n, &r.hour, 2, free)
		r.twelve = 1
		return err
	case "HH24":
		dest, width = &r.hour, 2
	case "MI":
		dest = &r.min
	case "SS":
		dest = &r.sec
	case "SSSS", "SSSSS":
		dest = &r.ssss
	case "MS":
		return r.fraction(n, &r.ms, 3, free)
	case "US":
		return r.fraction(n, &r.us, 6, free)
	case "FF1", "FF2", "FF3", "FF4", "FF5", "FF6":
		r.precision = int32(key[2] - '0')
		return r.fraction(n, &r.us, int(r.precision), free)
	case "MM":
		dest = &r.month
	case "DDD":
		dest = &r.yday
	case "IDDD":
		dest, width = &r.yday, 3
	case "DD":
		dest = &r.day
	case "D":
		dest = &r.weekday
	case "ID":
		_, err := r.number(n, &r.weekday, 1, free)
		if r.weekday++; r.weekday > 7 {
			r.weekday = 1
		}
		return err
	case "WW", "IW":
		dest = &r.week
	case "W":
		dest = &r.weekOfMonth
	case "CC":
		dest = &r.cc
	case "J":
		dest = &r.julian
	case "Y,YYY":
		return r.groupedYear(n)
	case "YYYY", "IYYY", "YYY", "IYY", "YY", "IY", "Y", "I":
		used, err := r.number(n, &r.year, width, free)
		if r.yearSize = int32(width); width < 4 && used < 4 && err == nil {
			r.year = fullYear(r.year)
		}
		return err
	}
	_, err := r.number(n, dest, width, free)
	return err
}

// fraction reads digits of a second: 5 is .5, 05 is .05.
func (r *charReader) fraction(n *templateNode, dest *int32, width int, free bool) error {
	used, err := r.number(n, dest, width, free)
	digits := 6
	if dest == &r.ms {
		digits = 3
	}
	for ; used < digits; used++ {
		*dest *= 10
	}
	return err
}

// fullYear takes a short year for one near 2020.
func fullYear(y int32) int32 {
	switch {
	case y < 70:
		return y + 2000
	case y < 100:
		return y + 1900
	case y < 520:
		return y + 2000
	case y < 1000:
		return y + 1000
	}
	return y
}

// groupedYear reads thousands, a comma and up to three digits.
func (r *charReader) groupedYear(n *templateNode) error {
	bad := pgerr.Newf(pgerr.InvalidDatetimeFormat, "invalid input string for \"Y,YYY\"")
	thousands, used, _ := leadingInt(r.in)
	if used == 0 || used >= len(r.in) || r.in[used] != ',' {
		return bad
	}
	rest := r.in[used+1:]
	blanks := 0
	for blanks < len(rest) && isBlank(rest[blanks]) {
		blanks++
	}
	rest = rest[blanks:]
	years, more, _ := leadingInt(rest[:min(3, len(rest))])
	if more == 0 {
		return bad
	}
	r.yearSize = 4
	err := n.set(&r.year, int32(years)+int32(thousands)*1000)
	r.in = rest[more:]
	return err
}
