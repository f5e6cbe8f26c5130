package eval

import (
	"strconv"
	"strings"
	"time"

	"github.com/helios-sql/helios-sql/sql/pgerr"
	"github.com/helios-sql/helios-sql/sql/types"
)

// charFuncs are to_char of dates and times, and their way back.
var charFuncs = map[string]impl{
	"to_char(timestamp,text)": templated(false, func(f *Frame, a types.Datum, t *template) (types.Datum, error) {
		return charTimestamp(f, a, t, nil)
	}),
	"to_char(timestamptz,text)": templated(false, func(f *Frame, a types.Datum, t *template) (types.Datum, error) {
		return charTimestamp(f, a, t, f.zone())
	}),
	"to_char(interval,text)":  templated(false, charInterval),
	"to_date(text,text)":      templated(false, toDate),
	"to_timestamp(text,text)": templated(false, toTimestamp),
}

// A moment is a date and time as to_char prints it.
type moment struct {
	year, month, day int // astronomical year; of an interval its years
	yday             int
	hour, min, sec   int64
	us               int64
	interval         bool
	abbrev           string
	east             int // seconds
}

func charTimestamp(f *Frame, a types.Datum, t *template, zone *time.Location) (types.Datum, error) {
	if t == nil || timestampInfinite(a.I) {
		return types.NullDatum, nil
	}
	var m moment
	local := a.I
	if zone != nil {
		m.east = types.UTCOffset(zone, a.I)
		local += int64(m.east) * usecsPerSec
		m.abbrev, _ = time.UnixMicro(a.I + epochMicros).In(zone).Zone()
	}
	days, us := types.SplitTimestamp(local)
	m.year, m.month, m.day = types.CivilFromDays(days)
	m.yday = days - types.DaysFromCivil(m.year, 1, 1) + 1
	m.setTime(us)
	return f.keepErr(m.format(f.out(), t))
}

func charInterval(f *Frame, a types.Datum, t *template) (types.Datum, error) {
	if t == nil {
		return types.NullDatum, nil
	}
	v := types.DecodeInterval(a.B)
	m := moment{interval: true, year: int(v.Months / 12), month: int(v.Months % 12), day: int(v.Days)}
	m.yday = int((int32(m.year)*12+int32(m.month))*30 + v.Days)
	m.setTime(v.Micros)
	return f.keepErr(m.format(f.out(), t))
}

func (m *moment) setTime(us int64) {
	m.hour, m.min, m.sec, m.us = us/usecsPerHour, us/usecsPerMin%60, us/usecsPerSec%60, us%usecsPerSec
}

var monthNames = [...]string{"January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"}

var dayNames = [...]string{"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"}

var romanMonths = [...]string{"I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII"}

// format appends the moment as a template asks.
func (m *moment) format(dst []byte, t *template) ([]byte, error) {
	for i := range t.nodes {
		n := &t.nodes[i]
		if n.kind != nodeField {
			dst = append(dst, n.text...)
			continue
		}
		if m.interval && noInterval[n.key.upper] {
			return dst, pgerr.Newf(pgerr.InvalidDatetimeFormat, "invalid format specification for an interval value").
				WithHint("Intervals are not tied to specific calendar dates.")
		}
		start := len(dst)
		var numeric bool
		if dst, numeric = m.timeField(dst, n); !numeric {
			dst, numeric = m.dateField(dst, n)
		}
		if numeric && n.ordinal != "" {
			dst = appendOrdinal(dst, dst[start:], n.ordinal == "TH")
		}
	}
	return dst, nil
}

// noInterval are the keywords that an interval has nothing for.
var noInterval = func() map[string]bool {
	m := map[string]bool{}
	for _, k := range strings.Fields("TZ TZH TZM OF A.D. B.C. AD BC MONTH MON DAY DY D ID") {
		m[k] = true
	}
	return m
}()

// appendOrdinal appends th, st, nd or rd, as it follows a number.
func appendOrdinal(dst, number []byte, upper bool) []byte {
	n := len(number)
	th := "th"
	if n < 2 || number[n-2] != '1' {
		switch number[n-1] {
		case '1':
			th = "st"
		case '2':
			th = "nd"
		case '3':
			th = "rd"
		}
	}
	if upper {
		th = strings.ToUpper(th)
	}
	return append(dst, th...)
}

// padded appends a number with leading zeros, unless FM is there.
func (n *templateNode) padded(dst []byte, v int64, width int) []byte {
	if n.fill {
		width = 0
	}
	return appendPadded(dst, v, width)
}

// signed is padded with the sign on top of the width.
func (n *templateNode) signed(dst []byte, v int64, width int) []byte {
	if v < 0 {
		width++
	}
	return n.padded(dst, v, width)
}

// word appends a text with blanks behind it, unless FM or TM is there.
func (n *templateNode) word(dst []byte, s string, width int) []byte {
	dst = append(dst, s...)
	if !n.fill && !n.local {
		for range width - len(s) {
			dst = append(dst, ' ')
		}
	}
	return dst
}

// timeField appends a field of the time of day; numeric says that the field is one, and a number.
func (m *moment) timeField(dst []byte, n *templateNode) (_ []byte, numeric bool) {
	switch n.key.upper {
	case "HH24":
		return n.hour(dst, m.hour, m.hour), true
	case "HH", "HH12":
		h := m.hour % 12
		if h == 0 {
			h = 12
		}
		return n.hour(dst, h, m.hour), true
	case "MI":
		return n.signed(dst, m.min, 2), true
	case "SS":
		return n.signed(dst, m.sec, 2), true
	case "FF1":
		return appendPadded(dst, m.us/100000, 1), true
	case "FF2":
		return appendPadded(dst, m.us/10000, 2), true
	case "MS", "FF3":
		return appendPadded(dst, m.us/1000, 3), true
	case "FF4":
		return appendPadded(dst, m.us/100, 4), true
	case "FF5":
		return appendPadded(dst, m.us/10, 5), true
	case "US", "FF6":
		return appendPadded(dst, m.us, 6), true
	case "SSSS", "SSSSS":
		return strconv.AppendInt(dst, m.hour*3600+m.min*60+m.sec, 10), true
	}
	return dst, false
}

// hour appends an hour as wide as the sign of the whole asks.
func (n *templateNode) hour(dst []byte, v, sign int64) []byte {
	if sign < 0 {
		return n.padded(dst, v, 3)
	}
	return n.padded(dst, v, 2)
}

func pick(cond bool, yes, no string) string {
	if cond {
		return yes
	}
	return no
}

// likeCase gives a two-letter mark the dots and case of the pattern's.
func likeCase(word, mark string) string {
	if len(word) == 4 {
		mark = mark[:1] + "." + mark[1:] + "."
	}
	if word[0] >= 'a' {
		return strings.ToLower(mark)
	}
	return mark
}

// named writes a name in the case of its pattern: MONTH, Month or month.
func named(word, name string) string {
	switch {
	case word[0] >= 'a':
		return strings.ToLower(name)
	case word[1] < 'a':
		return strings.ToUpper(name)
	}
	return name
}

// shown is a year without its era; of an interval the number of years.
func (m *moment) shown(year int) int64 {
	if !m.interval && year <= 0 {
		return int64(1 - year)
	}
	return int64(year)
}

// dateField appends a field of the date or the zone, or a mark.
func (m *moment) dateField(dst []byte, n *templateNode) (_ []byte, numeric bool) {
	key := n.key.upper
	name := n.key.name
	switch key {
	case "AM", "PM", "A.M.", "P.M.":
		return append(dst, likeCase(name, pick(m.hour%24 >= 12, "PM", "AM"))...), false
	case "AD", "BC", "A.D.", "B.C.":
		return append(dst, likeCase(name, pick(m.year <= 0, "BC", "AD"))...), false
	case "MONTH":
		return n.word(dst, named(name, monthNames[m.month-1]), 9), false
	case "MON":
		return append(dst, named(name, monthNames[m.month-1][:3])...), false
	case "RM":
		return m.romanMonth(dst, n), false
	case "DAY":
		return n.word(dst, named(name, dayNames[m.weekday()]), 9), false
	case "DY":
		return append(dst, named(name, dayNames[m.weekday()][:3])...), false
	case "TZ", "TZH", "TZM", "OF":
		return m.zoneField(dst, n), false
	case "FX":
		return dst, false
	case "Q":
		if m.month == 0 {
			return dst, false
		}
		return strconv.AppendInt(dst, int64((m.month-1)/3+1), 10), true
	}
	if strings.HasSuffix(key, "Y") || key == "I" {
		return m.yearField(dst, n), true
	}
	return m.dayField(dst, n), true
}

func (m *moment) weekday() int { return weekday(types.DaysFromCivil(m.year, m.month, m.day)) }

// yearField appends the year, or its last digits.
func (m *moment) yearField(dst []byte, n *templateNode) []byte {
	year, shape := m.shown(m.year), n.key.upper
	width := len(shape)
	v := year
	if shape[0] == 'I' {
		isoYear, _ := civilWeek(m.year, m.month, m.day)
		v = m.shown(isoYear)
	}
	if shape == "Y,YYY" {
		dst = append(strconv.AppendInt(dst, v/1000, 10), ',')
		return appendPadded(dst, v%1000, 3)
	}
	if width < 4 {
		v %= [...]int64{1, 10, 100, 1000}[width]
	}
	if width == 1 {
		return strconv.AppendInt(dst, v, 10)
	}
	if year < 0 {
		width++
	}
	return n.padded(dst, v, width)
}

// dayField appends a number of a century, month, week or day.
func (m *moment) dayField(dst []byte, n *templateNode) []byte {
	switch n.key.upper {
	case "CC":
		c := m.year / 100
		if !m.interval {
			if c--; m.year > 0 {
				c = (m.year-1)/100 + 1
			}
		}
		if c > 99 || c < -99 {
			return strconv.AppendInt(dst, int64(c), 10)
		}
		return n.signed(dst, int64(c), 2)
	case "MM":
		return n.signed(dst, int64(m.month), 2)
	case "DDD":
		return n.padded(dst, int64(m.yday), 3)
	case "IDDD":
		year, _ := civilWeek(m.year, m.month, m.day)
		return n.padded(dst, int64(julianDay(m.year, m.month, m.day)-isoWeekStart(year, 1)+1), 3)
	case "DD":
		return n.padded(dst, int64(m.day), 2)
	case "D":
		return strconv.AppendInt(dst, int64(m.weekday()+1), 10)
	case "ID":
		return strconv.AppendInt(dst, int64((m.weekday()+6)%7+1), 10)
	case "WW":
		return n.padded(dst, int64((m.yday-1)/7+1), 2)
	case "IW":
		_, week := civilWeek(m.year, m.month, m.day)
		return n.padded(dst, int64(week), 2)
	case "W":
		return strconv.AppendInt(dst, int64((m.day-1)/7+1), 10)
	}
	return strconv.AppendInt(dst, int64(julianDay(m.year, m.month, m.day)), 10)
}

// romanMonth appends a month in Roman numerals; the months of a negative interval count back from December.
func (m *moment) romanMonth(dst []byte, n *templateNode) []byte {
	i := m.month - 1
	switch {
	case m.month == 0 && m.year == 0:
		return dst
	case m.month < 0:
		i = 12 + m.month
	case m.month == 0 && m.year > 0:
		i = 11
	case m.month == 0:
		i = 0
	}
	name := romanMonths[i]
	if n.key.name == "rm" {
		name = strings.ToLower(name)
	}
	dst = append(dst, name...)
	if !n.fill {
		for range 4 - len(name) {
			dst = append(dst, ' ')
		}
	}
	return dst
}

// zoneField appends TZ, TZH, TZM or OF; of a timestamp without zone TZ is empty, the others zero.
func (m *moment) zoneField(dst []byte, n *templateNode) []byte {
	off := m.east
	sign := byte('+')
	if off < 0 {
		sign, off = '-', -off
	}
	switch n.key.upper {
	case "TZ":
		if n.key.name == "tz" {
			return append(dst, strings.ToLower(m.abbrev)...)
		}
		return append(dst, m.abbrev...)
	case "TZH":
		return appendPadded(append(dst, sign), int64(off/3600), 2)
	case "TZM":
		return appendPadded(dst, int64(off/60%60), 2)
	}
	dst = n.padded(append(dst, sign), int64(off/3600), 2)
	if off%3600 != 0 {
		dst = appendPadded(append(dst, ':'), int64(off/60%60), 2)
	}
	return dst
}

// julianDay is the Julian day of a date by PostgreSQL's formula, which also
// takes the months and days of intervals, and wraps around.
func julianDay(year, month, day int) int {
	y, m := int32(year), int32(month)
	if m > 2 {
		m, y = m+1, y+4800
	} else {
		m, y = m+13, y+4799
	}
	century := y / 100
	return int(y*365 - 32167 + y/4 - century + century/4 + 7834*m/256 + int32(day))
}

// isoWeekStart is the Julian day on which a week of an ISO year starts.
func isoWeekStart(year, week int) int {
	fourth := int32(julianDay(year, 1, 4))
	return int((int32(week)-1)*7 + fourth - (fourth%7+7)%7)
}

// civilWeek gives the ISO year and week of a date, or of the fields of an interval.
func civilWeek(y, m, d int) (year, week int) {
	day := julianDay(y, m, d)
	year = y
	if day < isoWeekStart(year, 1) {
		year--
	}
	if week = (day-isoWeekStart(year, 1))/7 + 1; week >= 52 {
		if next := isoWeekStart(y+1, 1); day >= next {
			year, week = y+1, (day-next)/7+1
		}
	}
	return year, week
}
