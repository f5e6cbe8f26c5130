package types

import (
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/helios-sql/helios-sql/sql/pgerr"
)

// A fieldError says why a date, time or interval does not parse.
type fieldError byte

const (
	fieldOK        fieldError = iota
	fieldFormat               // 22007
	fieldOverflow             // 22008
	fieldMDRange              // 22008, with a hint
	fieldZoneRange            // 22009
	fieldInterval             // 22015
	fieldNow                  // 0A000: depends on the clock
	fieldUnits                // 0A000: a form that we do not read
)

func (e fieldError) err(typ string, text []byte) error {
	switch e {
	case fieldOverflow:
		return pgerr.Newf(pgerr.DatetimeFieldOverflow, "date/time field value out of range: \"%s\"", text)
	case fieldMDRange:
		return pgerr.Newf(pgerr.DatetimeFieldOverflow, "date/time field value out of range: \"%s\"", text).
			WithHint("Perhaps you need a different \"datestyle\" setting.")
	case fieldZoneRange:
		return pgerr.Newf("22009", "time zone displacement out of range: \"%s\"", text)
	case fieldInterval:
		return pgerr.Newf(pgerr.IntervalFieldOverflow, "interval field value out of range: \"%s\"", text)
	case fieldNow:
		return pgerr.Unsupported(0, "the clock-dependent %s input \"%s\" here", typ, text)
	case fieldUnits:
		return pgerr.Unsupported(0, "%s input with labelled fields, \"%s\",", typ, text)
	}
	return pgerr.Newf(pgerr.InvalidDatetimeFormat, "invalid input syntax for type %s: \"%s\"", typ, text)
}

// Kinds of tokens.
type tokenKind byte

const (
	tokNumber  tokenKind = iota
	tokWord              // letters
	tokDate              // with -, / or . inside; or a zone's name
	tokTime              // with : inside
	tokZone              // with a sign before
	tokSpecial           // a sign and letters
)

type dateToken struct {
	kind tokenKind
	text string // letters in lower case
}

func isDigit(c byte) bool { return c-'0' <= 9 }
func isAlpha(c byte) bool { return toLower(c)-'a' < 26 }

// dateTokens cuts an input into fields, as PostgreSQL's manual has it in its
// appendix on date/time input interpretation.
func dateTokens(text []byte) ([]dateToken, bool) {
	var toks []dateToken
	s := strings.ToLower(string(text))
	for i := 0; i < len(s); {
		start := i
		take := func(in func(byte) bool) {
			for i < len(s) && in(s[i]) {
				i++
			}
		}
		at := func(set string) bool { return i < len(s) && strings.IndexByte(set, s[i]) >= 0 }
		kind := tokNumber
		c := s[i]
		switch {
		case isSpace(c):
			i++
			continue
		case isDigit(c):
			take(isDigit)
			switch {
			case at(":"):
				kind = tokTime
				take(func(c byte) bool { return isDigit(c) || c == ':' || c == '.' })
			case at("-/."):
				delim := s[i]
				i++
				kind = tokDate
				if i < len(s) && isDigit(s[i]) {
					if delim == '.' {
						kind = tokNumber
					}
					take(isDigit)
					if i < len(s) && s[i] == delim {
						kind = tokDate
						take(func(c byte) bool { return isDigit(c) || c == delim })
					}
				} else {
					take(func(c byte) bool { return isDigit(c) || isAlpha(c) || c == delim })
				}
			}
		case c == '.':
			i++
			take(isDigit)
		case isAlpha(c):
			kind = tokWord
			take(isAlpha)
			isDate := at("-/.")
			if at("+") || i < len(s) && isDigit(s[i]) {
				isDate = dateWords[s[start:i]].kind == wordNone
			}
			if isDate {
				kind = tokDate
				take(func(c byte) bool { return isDigit(c) || isAlpha(c) || strings.IndexByte("+-/_.:", c) >= 0 })
			}
		case c == '+' || c == '-':
			i++
			take(isSpace)
			sign := string(c)
			from := i
			switch {
			case i < len(s) && isDigit(s[i]):
				kind = tokZone
				take(func(c byte) bool { return isDigit(c) || c == ':' || c == '.' || c == '-' })
			case i < len(s) && isAlpha(s[i]):
				kind = tokSpecial
				take(isAlpha)
			default:
				return nil, false
			}
			toks = append(toks, dateToken{kind, sign + s[from:i]})
			continue
		case c > ' ' && c < 0x7f:
			i++
			continue
		default:
			return nil, false
		}
		toks = append(toks, dateToken{kind, s[start:i]})
	}
	return toks, len(toks) > 0 && len(toks) <= 25
}

// A dateInput is a date and time being read.
type dateInput struct {
	f                *Format
	timeOnly         bool
	set              fieldSet
	year, month, day int
	doy              int
	hour, minute     int
	second           int
	micros           int
	east             int            // with fieldZone, unless zone is set
	zone             *time.Location // a zone by name
	textMonth        bool
	twoDigits        bool
	julian           bool
	bc               bool
	ampm             int // −1 none, 0 am, 12 pm
	special          dateWord
	badZone          string
	prefix           wordKind
}

// decodeDateTime reads all tokens.
func (in *dateInput) decode(toks []dateToken) fieldError {
	in.ampm = -1
	for i, t := range toks {
		set, e := in.token(toks, i, t)
		if e != fieldOK {
			return e
		}
		if set&in.set != 0 {
			return fieldFormat
		}
		in.set |= set
	}
	if in.prefix != wordNone {
		return fieldFormat
	}
	return in.finish()
}

func (in *dateInput) token(toks []dateToken, i int, t dateToken) (fieldSet, fieldError) {
	if in.prefix == wordJulian {
		return in.julianDay(t)
	}
	switch t.kind {
	case tokDate:
		if in.prefix != wordNone || in.timeOnly && !in.timeOnlyDate(t, i, len(toks)) || in.set&(fieldMonth|fieldDay) == fieldMonth|fieldDay {
			return in.zoneOrTime(t.text)
		}
		return in.date(t.text)
	case tokTime:
		in.prefix = wordNone
		return in.clock(t.text)
	case tokZone:
		east, e := parseZoneOffset([]byte(t.text))
		in.east, in.zone = east, nil
		return fieldZone, e
	case tokNumber:
		if in.prefix != wordNone {
			in.prefix = wordNone
			return in.numberField(t.text, in.set|fieldsDate)
		}
		return in.numberToken(t.text)
	}
	return in.word(toks, i, t)
}

// timeOnlyDate reports whether a date token of a time is a date: it has a
// digit first and more follows, or stands behind others.
func (in *dateInput) timeOnlyDate(t dateToken, i, n int) bool {
	return isDigit(t.text[0]) && strings.Count(t.text, "-")+strings.Count(t.text, "/")+strings.Count(t.text, ".") >= 2 && n >= 2
}

func (in *dateInput) julianDay(t dateToken) (fieldSet, fieldError) {
	in.prefix = wordNone
	whole, frac, _ := strings.Cut(t.text, ".")
	jd, err := strconv.Atoi(whole)
	if t.kind != tokNumber || err != nil {
		return 0, fieldFormat
	}
	if jd > math.MaxInt32 {
		return 0, fieldOverflow
	}
	in.year, in.month, in.day = CivilFromDays(jd + minDate)
	in.julian = true
	if frac == "" {
		return fieldsDate, fieldOK
	}
	us := int64(math.RoundToEven(fraction(frac) * microsPerDay))
	in.hour, in.minute, in.second = int(us/microsPerHour), int(us/microsPerMinute%60), int(us/microsPerSecond%60)
	in.micros = int(us % microsPerSecond)
	return fieldsDate | fieldsTime, fieldOK
}

// zoneOrTime reads a token with punctuation that is not a date: a zone's
// name, or a time and a zone run together.
func (in *dateInput) zoneOrTime(s string) (fieldSet, fieldError) {
	if !isDigit(s[0]) && in.prefix == wordNone {
		loc, ok := LoadZone(s)
		if !ok {
			in.badZone = s
			return 0, fieldFormat
		}
		in.zone = loc
		return fieldZone, fieldOK
	}
	in.prefix = wordNone
	if in.set&fieldsTime == fieldsTime {
		return 0, fieldFormat
	}
	dash := strings.IndexByte(s, '-')
	if dash < 0 {
		return 0, fieldFormat
	}
	east, e := parseZoneOffset([]byte(s[dash:]))
	if e != fieldOK {
		return 0, e
	}
	in.east = east
	set, e := in.numberField(s[:dash], in.set|fieldsDate)
	return set | fieldZone, e
}

// date reads a date of up to three parts.
func (in *dateInput) date(s string) (fieldSet, fieldError) {
	parts := strings.FieldsFunc(s, func(r rune) bool { return r < 0x80 && !isDigit(byte(r)) && !isAlpha(byte(r)) })
	// 04jan2001 comes in pieces of digits and of letters.
	var split []string
	for _, p := range parts {
		for len(p) > 0 {
			n := 1
			for n < len(p) && isDigit(p[n]) == isDigit(p[0]) {
				n++
			}
			split = append(split, p[:n])
			p = p[n:]
		}
	}
	if c := s[len(s)-1]; !isDigit(c) && !isAlpha(c) && len(split) < 3 {
		return 0, fieldFormat
	}
	set, had := fieldSet(0), in.set
	text := in.textMonth
	for i, p := range split {
		if !isAlpha(p[0]) {
			continue
		}
		w := dateWords[p]
		if w.kind == wordIgnore {
			split[i] = ""
			continue
		}
		if w.kind != wordMonth || had&fieldMonth != 0 {
			return 0, fieldFormat
		}
		in.month, text = w.value, true
		had |= fieldMonth
		set |= fieldMonth
		split[i] = ""
	}
	for _, p := range split {
		if p == "" {
			continue
		}
		f, e := in.number(p, had, text)
		if e != fieldOK {
			return 0, e
		}
		if f&had != 0 {
			return 0, fieldFormat
		}
		had |= f
		set |= f
	}
	if had&^(fieldDOY|fieldZone)&(fieldsDate|fieldsTime) != fieldsDate {
		return 0, fieldFormat
	}
	return set, fieldOK
}

func atoi(s string) (int, fieldError) {
	v, err := strconv.ParseInt(s, 10, 32)
	if err != nil {
		if len(s) > 0 && allDigits(s) {
			return 0, fieldOverflow
		}
		return 0, fieldFormat
	}
	return int(v), fieldOK
}

func allDigits(s string) bool {
	for i := range len(s) {
		if !isDigit(s[i]) {
			return false
		}
	}
	return true
}

// fraction reads the digits behind a point.
func fraction(digits string) float64 {
	f, err := strconv.ParseFloat("0."+digits+"0", 64)
	if err != nil {
		return 0
	}
	return f
}

func fractionMicros(digits string) int { return int(math.RoundToEven(fraction(digits) * 1e6)) }

// numberToken reads a number that stands alone.
func (in *dateInput) numberToken(s string) (fieldSet, fieldError) {
	point := strings.IndexByte(s, '.')
	if in.timeOnly {
		if point > 2 || point < 0 && len(s) > 4 || point < 0 {
			return in.numberField(s, in.set|fieldsDate)
		}
		return 0, fieldFormat
	}
	switch {
	case point >= 0 && in.set&fieldsDate == 0:
		return in.date(s)
	case point > 2, len(s) >= 6 && (in.set&fieldsDate == 0 || in.set&fieldsTime == 0):
		return in.numberField(s, in.set)
	}
	return in.number(s, in.set, in.textMonth)
}

// number reads a number as the next part of a date in the order month, day,
// year, unless a year shows by its length or a month by its name.
func (in *dateInput) number(s string, had fieldSet, textMonth bool) (fieldSet, fieldError) {
	digits, frac, point := strings.Cut(s, ".")
	v, e := atoi(digits)
	if e != fieldOK {
		return 0, e
	}
	if point {
		if len(digits) > 2 {
			return in.numberField(s, had|fieldsDate)
		}
		in.micros = fractionMicros(frac)
	}
	if len(s) == 3 && had&fieldsDate == fieldYear && v >= 1 && v <= 366 {
		in.doy = v
		return fieldDOY | fieldMonth | fieldDay, fieldOK
	}
	asYear := func() (fieldSet, fieldError) {
		in.year, in.twoDigits = v, len(s) <= 2
		return fieldYear, fieldOK
	}
	asMonth := func() (fieldSet, fieldError) { in.month = v; return fieldMonth, fieldOK }
	asDay := func() (fieldSet, fieldError) { in.day = v; return fieldDay, fieldOK }
	switch had & fieldsDate {
	case 0:
		if len(s) >= 3 {
			return asYear()
		}
		return asMonth()
	case fieldYear:
		return asMonth()
	case fieldMonth:
		if textMonth && len(s) >= 3 {
			return asYear()
		}
		return asDay()
	case fieldYear | fieldMonth:
		if textMonth && len(s) >= 3 && in.twoDigits {
			in.day, in.year, in.twoDigits = in.year, v, false
			return fieldDay, fieldOK
		}
		return asDay()
	case fieldDay:
		return asMonth()
	case fieldMonth | fieldDay:
		return asYear()
	case fieldsDate:
		return in.numberField(s, had)
	}
	return 0, fieldFormat
}

// numberField reads digits run together: yyyymmdd, yymmdd, hhmmss[.f], hhmm.
func (in *dateInput) numberField(s string, had fieldSet) (fieldSet, fieldError) {
	digits, frac, point := strings.Cut(s, ".")
	if !allDigits(digits) || len(digits) == 0 {
		return 0, fieldFormat
	}
	two := func(from int) int { return int(digits[from]-'0')*10 + int(digits[from+1]-'0') }
	n := len(digits)
	if point {
		in.micros = fractionMicros(frac)
	} else if had&fieldsDate != fieldsDate && n >= 6 {
		in.day, in.month = two(n-2), two(n-4)
		y, e := atoi(digits[:n-4])
		in.year = y
		in.twoDigits = n == 6
		return fieldsDate, e
	}
	if had&fieldsTime != fieldsTime && (n == 6 || n == 4) {
		in.hour, in.minute, in.second = two(0), two(2), 0
		if n == 6 {
			in.second = two(4)
		}
		return fieldsTime, fieldOK
	}
	return 0, fieldFormat
}

// clock reads HH:MM[:SS[.f]].
func (in *dateInput) clock(s string) (fieldSet, fieldError) {
	var e fieldError
	in.hour, in.minute, in.second, in.micros, e = splitClock(s)
	if e == fieldOK && (in.hour > 24 || in.clockMicros() > microsPerDay) {
		e = fieldOverflow
	}
	return fieldsTime, e
}

func (in *dateInput) clockMicros() int64 {
	return int64(in.hour*3600+in.minute*60+in.second)*microsPerSecond + int64(in.micros)
}

// splitClock reads HH:MM, HH:MM:SS[.f], or MM:SS.f.
func splitClock(s string) (h, m, sec, micros int, e fieldError) {
	s, frac, point := strings.Cut(s, ".")
	parts := strings.Split(s, ":")
	if len(parts) < 2 || len(parts) > 3 || strings.IndexByte(frac, ':') >= 0 || strings.IndexByte(frac, '.') >= 0 {
		return 0, 0, 0, 0, fieldFormat
	}
	var v [3]int
	for i, p := range parts {
		if p == "" && i > 0 {
			p = "0" // strtol of nothing
		}
		if v[i], e = atoi(p); e != fieldOK {
			return 0, 0, 0, 0, e
		}
	}
	if point {
		micros = fractionMicros(frac)
		if len(parts) == 2 {
			v = [3]int{0, v[0], v[1]}
		}
	}
	if v[1] > 59 || v[2] > 60 {
		return 0, 0, 0, 0, fieldOverflow
	}
	return v[0], v[1], v[2], micros, fieldOK
}

// parseZoneOffset reads ±H, ±HH, ±HHMM, ±HH:MM[:SS] as seconds east of UTC.
func parseZoneOffset(s []byte) (east int, e fieldError) {
	parts := strings.Split(string(s[1:]), ":")
	if len(parts) > 3 {
		return 0, fieldFormat
	}
	var v [3]int
	for i, p := range parts {
		if v[i], e = atoi(p); e != fieldOK {
			return 0, e
		}
	}
	if len(parts) == 1 && len(s) > 3 {
		v[0], v[1] = v[0]/100, v[0]%100
	}
	if v[0] > 15 || v[1] > 59 || v[2] > 59 {
		return 0, fieldZoneRange
	}
	east = v[0]*3600 + v[1]*60 + v[2]
	if s[0] == '-' {
		east = -east
	}
	return east, fieldOK
}

func (in *dateInput) word(toks []dateToken, i int, t dateToken) (fieldSet, fieldError) {
	if loc, ok := zoneAbbrevs()[t.text]; ok {
		in.zone = loc
		return fieldZone, fieldOK
	}
	w := dateWords[t.text[:min(len(t.text), wordLen)]]
	switch w.kind {
	case wordIgnore:
		return 0, fieldOK
	case wordMonth:
		set := fieldMonth
		if in.set&fieldMonth != 0 && !in.textMonth && in.set&fieldDay == 0 && in.month >= 1 && in.month <= 31 {
			in.day = in.month
			set = fieldDay
		}
		in.textMonth, in.month = true, w.value
		return set, fieldOK
	case wordDOW:
		return fieldDOW, fieldOK
	case wordAM:
		in.ampm = w.value
		return fieldAMPM, fieldOK
	case wordADBC:
		in.bc = w.value == 1
		return fieldADBC, fieldOK
	case wordDST:
		if in.set&fieldZone == 0 {
			return 0, fieldFormat
		}
		if in.zone != nil {
			_, off := time.Unix(0, 0).In(in.zone).Zone()
			in.zone, in.east = nil, off
		}
		in.east += 3600
		return fieldDST, fieldOK
	case wordNow, wordDay:
		if in.f.Now == 0 {
			return 0, fieldNow
		}
		return in.fromNow(w), fieldOK
	case wordMidnight:
		in.hour, in.minute, in.second, in.east, in.zone = 0, 0, 0, 0, nil
		return fieldsTime | fieldZone, fieldOK
	case wordEpoch, wordInfinity:
		if in.timeOnly {
			return 0, fieldFormat
		}
		in.special = w
		return fieldsDate | fieldsTime | fieldZone, fieldOK
	case wordISOTime:
		if !in.timeOnly && in.set&fieldsDate != fieldsDate || i+1 >= len(toks) {
			return 0, fieldFormat
		}
		if k := toks[i+1].kind; k != tokNumber && k != tokTime && k != tokDate {
			return 0, fieldFormat
		}
		in.prefix = wordISOTime
		return 0, fieldOK
	case wordJulian:
		if i+1 >= len(toks) {
			return 0, fieldFormat
		}
		in.prefix = wordJulian
		return 0, fieldOK
	case wordUnit:
		return 0, fieldUnits
	}
	loc, ok := LoadZone(t.text)
	if !ok {
		return 0, fieldFormat
	}
	in.zone = loc
	return fieldZone, fieldOK
}

// fromNow sets the fields of now, today and the like, in the session's zone.
func (in *dateInput) fromNow(w dateWord) fieldSet {
	days, us := SplitTimestamp(TimestampFromTZ(in.f.TimeZone, in.f.Now))
	in.year, in.month, in.day = CivilFromDays(days + w.value)
	in.julian = true // the year is final
	if w.kind == wordDay {
		return fieldsDate
	}
	in.hour, in.minute, in.second = int(us/microsPerHour), int(us/microsPerMinute%60), int(us/microsPerSecond%60)
	in.micros = int(us % microsPerSecond)
	in.east = UTCOffset(in.f.TimeZone, in.f.Now)
	return fieldsDate | fieldsTime | fieldZone
}

// finish checks the fields against one another.
func (in *dateInput) finish() fieldError {
	if in.special.kind != wordNone {
		return fieldOK
	}
	if in.set&fieldYear != 0 && !in.julian {
		switch {
		case in.bc:
			if in.year <= 0 {
				return fieldOverflow
			}
			in.year = 1 - in.year
		case in.twoDigits && in.year < 70:
			in.year += 2000
		case in.twoDigits && in.year < 100:
			in.year += 1900
		case in.year <= 0:
			return fieldOverflow
		}
	}
	if in.set&fieldDOY != 0 {
		in.year, in.month, in.day = CivilFromDays(DaysFromCivil(in.year, 1, in.doy))
	}
	if in.set&fieldMonth != 0 && (in.month < 1 || in.month > 12) || in.set&fieldDay != 0 && (in.day < 1 || in.day > 31) {
		return fieldMDRange
	}
	if in.set&fieldsDate == fieldsDate && in.day > DaysInMonth(in.year, in.month) {
		return fieldOverflow
	}
	if in.ampm >= 0 && in.hour > 12 {
		return fieldOverflow
	}
	switch {
	case in.ampm == 0 && in.hour == 12:
		in.hour = 0
	case in.ampm == 12 && in.hour != 12:
		in.hour += 12
	}
	return fieldOK
}

// read parses text into fields.
func (f *Format) readDateTime(text []byte, typ string, timeOnly bool) (*dateInput, error) {
	in := &dateInput{f: f, timeOnly: timeOnly}
	toks, ok := dateTokens(text)
	e := fieldFormat
	if ok {
		e = in.decode(toks)
	}
	if e == fieldOK && !timeOnly && in.set&fieldsDate != fieldsDate || e == fieldOK && timeOnly && in.set&fieldsTime != fieldsTime {
		e = fieldFormat
	}
	if in.badZone != "" {
		return nil, pgerr.Newf(pgerr.InvalidParameterValue, "time zone \"%s\" not recognized", in.badZone)
	}
	if e != fieldOK {
		return nil, e.err(typ, text)
	}
	return in, nil
}

func (f *Format) parseDateSlow(text []byte) (int32, error) {
	in, err := f.readDateTime(text, "date", false)
	if err != nil {
		return 0, err
	}
	switch in.special.kind {
	case wordEpoch:
		return -unixToEpoch, nil
	case wordInfinity:
		if in.special.value < 0 {
			return DateNegInfinity, nil
		}
		return DateInfinity, nil
	}
	days := DaysFromCivil(in.year, in.month, in.day)
	if days < minDate || days >= endDate {
		return 0, pgerr.Newf(pgerr.DatetimeFieldOverflow, "date out of range: \"%s\"", text)
	}
	return int32(days), nil
}

func (f *Format) parseTimestampSlow(text []byte, t OID, precision int32) (int64, error) {
	typ := "timestamp"
	if t == TimestampTZ {
		typ = "timestamp with time zone"
	}
	in, err := f.readDateTime(text, typ, false)
	if err != nil {
		return 0, err
	}
	switch in.special.kind {
	case wordEpoch:
		return -unixToEpoch * microsPerDay, nil
	case wordInfinity:
		if in.special.value < 0 {
			return TimestampNegInfinity, nil
		}
		return TimestampInfinity, nil
	}
	days := DaysFromCivil(in.year, in.month, in.day)
	if days < minDate-1 || days > endTimestamp/microsPerDay+1 {
		return 0, errTimestampRange(text)
	}
	ts := int64(days)*microsPerDay + in.clockMicros()
	if t == TimestampTZ {
		switch {
		case in.set&fieldZone == 0:
			ts = TimestampToTZ(f.TimeZone, ts)
		case in.zone != nil:
			ts = TimestampToTZ(in.zone, ts)
		default:
			ts -= int64(in.east) * microsPerSecond
		}
	}
	if !timestampInRange(ts) {
		return 0, errTimestampRange(text)
	}
	return roundMicros(ts, precision), nil
}

func timestampInRange(v int64) bool { return v >= minTimestamp && v < endTimestamp }

func errTimestampRange(text []byte) error {
	return pgerr.Newf(pgerr.DatetimeFieldOverflow, "timestamp out of range: \"%s\"", text)
}

func (f *Format) parseTimeSlow(text []byte, t OID) (TimeTZValue, error) {
	typ := "time"
	if t == TimeTZ {
		typ = "time with time zone"
	}
	in, err := f.readDateTime(text, typ, true)
	if err != nil {
		return TimeTZValue{}, err
	}
	v := TimeTZValue{Micros: in.clockMicros()}
	if v.Micros > microsPerDay {
		return v, fieldOverflow.err(typ, text)
	}
	east, e := in.zoneEast(t)
	if e != fieldOK {
		return v, e.err(typ, text)
	}
	v.West = int32(-east)
	return v, nil
}

// zoneEast gives the offset of a time: that of its zone on its date; of the
// session's zone also today. A zone that has more than one offset needs a date.
func (in *dateInput) zoneEast(t OID) (int, fieldError) {
	loc := in.zone
	switch {
	case in.set&fieldZone == 0:
		if loc = in.f.TimeZone; t == Time {
			return 0, fieldOK
		}
	case loc == nil:
		return in.east, fieldOK
	}
	day := DaysFromCivil(in.year, in.month, in.day)
	if in.set&fieldsDate != fieldsDate {
		switch {
		case loc == nil || fixedZone(loc):
			day = 0
		case in.set&fieldZone != 0:
			return 0, fieldFormat
		case in.f.Now == 0:
			return 0, fieldNow
		default:
			day, _ = SplitTimestamp(TimestampFromTZ(loc, in.f.Now))
		}
	}
	return localOffset(loc, int64(day)*microsPerDay+in.clockMicros()), fieldOK
}
