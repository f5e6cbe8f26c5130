package types

import (
	"math"
	"strconv"
	"strings"

	"github.com/helios-sql/helios-sql/sql/pgerr"
)

// Units of interval input, from the smallest.
type intervalUnit byte

const (
	unitNone intervalUnit = iota
	unitMicrosecond
	unitMillisecond
	unitSecond
	unitMinute
	unitHour
	unitDay
	unitWeek
	unitMonth
	unitYear
	unitDecade
	unitCentury
	unitMillennium
	unitAgo
)

var intervalUnits = func() map[string]intervalUnit {
	m := make(map[string]intervalUnit)
	for unit, words := range [...]string{
		unitMicrosecond: "microsecon us usec usecond useconds usecs",
		unitMillisecond: "millisecon ms msec msecond mseconds msecs",
		unitSecond:      "s sec second seconds secs",
		unitMinute:      "m min mins minute minutes",
		unitHour:        "h hour hours hr hrs",
		unitDay:         "d day days",
		unitWeek:        "w week weeks",
		unitMonth:       "mon mons month months",
		unitYear:        "y year years yr yrs",
		unitDecade:      "dec decade decades decs",
		unitCentury:     "c cent centuries century",
		unitMillennium:  "mil millennia millennium mils",
		unitAgo:         "ago",
	} {
		for _, w := range strings.Fields(words) {
			m[w] = intervalUnit(unit)
		}
	}
	return m
}()

// wordLen is how much of a word in a date or interval counts.
const wordLen = 10

// An intervalInput is an interval being read; over says that a field has left
// its range.
type intervalInput struct {
	micros, days  int64
	months, years int64
	set           uint32 // a bit per unit read
	over          bool
}

func (in *intervalInput) add(field *int64, v, scale int64) {
	p, ok := mulInt64(v, scale)
	if !ok {
		in.over = true
		return
	}
	sum := *field + p
	if (p > 0) != (sum > *field) && p != 0 {
		in.over = true
	}
	*field = sum
}

// addFraction adds a part of a unit of so many µs, rounded.
func (in *intervalInput) addFraction(frac float64, unit int64) {
	v := frac * float64(unit)
	us := math.Trunc(v)
	if v -= us; v > 0.5 {
		us++
	} else if v < -0.5 {
		us--
	}
	in.add(&in.micros, int64(us), 1)
}

// addFractionDays adds a part of a unit of so many days.
func (in *intervalInput) addFractionDays(frac float64, days int) {
	v := frac * float64(days)
	whole := math.Trunc(v)
	in.days += int64(whole)
	in.addFraction(v-whole, microsPerDay)
}

// addUnit adds v + frac units.
func (in *intervalInput) addUnit(unit intervalUnit, v int64, frac float64) {
	switch unit {
	case unitMicrosecond:
		in.add(&in.micros, v, 1)
		in.addFraction(frac, 1)
	case unitMillisecond:
		in.add(&in.micros, v, 1000)
		in.addFraction(frac, 1000)
	case unitSecond:
		in.add(&in.micros, v, microsPerSecond)
		in.addFraction(frac, microsPerSecond)
	case unitMinute:
		in.add(&in.micros, v, microsPerMinute)
		in.addFraction(frac, microsPerMinute)
	case unitHour:
		in.add(&in.micros, v, microsPerHour)
		in.addFraction(frac, microsPerHour)
	case unitDay:
		in.add(&in.days, v, 1)
		in.addFraction(frac, microsPerDay)
	case unitWeek:
		in.add(&in.days, v, 7)
		in.addFractionDays(frac, 7)
	case unitMonth:
		in.add(&in.months, v, 1)
		in.addFractionDays(frac, 30)
	default:
		years := map[intervalUnit]int64{unitYear: 1, unitDecade: 10, unitCentury: 100, unitMillennium: 1000}[unit]
		in.add(&in.years, v, years)
		in.months += int64(math.RoundToEven(frac * float64(12*years)))
	}
	if in.days != int64(int32(in.days)) || in.months != int64(int32(in.months)) || in.years != int64(int32(in.years)) {
		in.over = true
	}
}

// parseInterval parses an interval in any of PostgreSQL's styles.
func parseInterval(text []byte, mod int32) (IntervalValue, error) {
	var in intervalInput
	e := fieldFormat
	if toks, ok := dateTokens(text); ok {
		e = in.decode(toks, mod)
	}
	if e == fieldFormat && len(text) > 0 && text[0] == 'P' {
		in = intervalInput{}
		e = in.decodeISO(string(text[1:]))
	}
	if in.over && e == fieldOK || e == fieldOverflow {
		e = fieldInterval
	}
	if e != fieldOK {
		return IntervalValue{}, e.err("interval", text)
	}
	in.months += in.years * 12
	if in.months != int64(int32(in.months)) {
		return IntervalValue{}, errIntervalRange()
	}
	v := IntervalValue{in.micros, int32(in.days), int32(in.months)}
	return v.applyMod(mod)
}

// decode reads tokens from the last to the first, as units follow their
// numbers.
func (in *intervalInput) decode(toks []dateToken, mod int32) fieldError {
	unit, ago := unitNone, false
	mask := int32(intervalFull)
	if mod >= 0 {
		mask = mod >> 16 & intervalFull
	}
	for i := len(toks) - 1; i >= 0; i-- {
		t := toks[i]
		switch t.kind {
		case tokWord, tokSpecial:
			w := t.text[:min(len(t.text), wordLen)]
			switch u := intervalUnits[w]; {
			case u == unitAgo:
				ago = true
				unit = unitNone
			case u != unitNone:
				unit = u
			case dateWords[w].kind != wordIgnore:
				return fieldFormat
			}
			continue
		case tokTime:
			if e := in.clock(t.text, false, mask); e != fieldOK {
				return e
			}
			unit = unitDay
			continue
		case tokZone:
			if strings.IndexByte(t.text, ':') >= 0 {
				if e := in.clock(t.text[1:], t.text[0] == '-', mask); e != fieldOK {
					return e
				}
				unit = unitDay
				continue
			}
		}
		if unit == unitNone {
			unit = lastUnit(mask)
		}
		if e := in.number(t.text, &unit); e != fieldOK {
			return e
		}
	}
	if in.set == 0 {
		return fieldFormat
	}
	if ago {
		in.micros, in.days, in.months, in.years = -in.micros, -in.days, -in.months, -in.years
	}
	return fieldOK
}

// lastUnit is the unit of a number without one, by the type's last field.
func lastUnit(mask int32) intervalUnit {
	switch {
	case mask == intervalFull, mask&intervalSecond != 0:
		return unitSecond
	case mask&intervalMinute != 0:
		return unitMinute
	case mask&intervalHour != 0:
		return unitHour
	case mask&intervalDay != 0:
		return unitDay
	case mask&intervalMonth != 0:
		return unitMonth
	case mask&intervalYear != 0:
		return unitYear
	}
	return unitSecond
}

// mark notes that a unit has been read; each may be once.
func (in *intervalInput) mark(units uint32) fieldError {
	if in.set&units != 0 {
		return fieldFormat
	}
	in.set |= units
	return fieldOK
}

const clockUnits = 1<<unitHour | 1<<unitMinute | 1<<unitSecond | 1<<unitMillisecond | 1<<unitMicrosecond

// clock reads HH:MM[:SS[.f]]; hours have no bound.
func (in *intervalInput) clock(s string, neg bool, mask int32) fieldError {
	h, rest, _ := strings.Cut(s, ":")
	hours, err := strconv.ParseInt(h, 10, 64)
	if err != nil || hours < 0 {
		if allDigits(h) && h != "" {
			return fieldOverflow
		}
		return fieldFormat
	}
	small := "0:" + rest
	if frac := strings.IndexByte(rest, '.'); frac >= 0 && strings.IndexByte(rest, ':') < 0 {
		small = "0:0:0" + rest[frac:] // MM:SS.f
		sec, e := atoi(rest[:frac])
		if e != fieldOK {
			return e
		}
		if hours > 59 || sec > 60 {
			return fieldOverflow
		}
		in.add(&in.micros, signed(hours, neg), microsPerMinute)
		in.add(&in.micros, signed(int64(sec), neg), microsPerSecond)
		hours = 0
	} else if strings.IndexByte(rest, ':') < 0 && mask == intervalMinute|intervalSecond {
		small = "0:" + h + ":" + rest
		hours = 0
	}
	_, m, sec, us, e := splitClock(small)
	if e != fieldOK {
		return e
	}
	in.add(&in.micros, signed(hours, neg), microsPerHour)
	in.add(&in.micros, signed(int64(m*60+sec)*microsPerSecond+int64(us), neg), 1)
	return in.mark(clockUnits &^ (1<<unitMillisecond | 1<<unitMicrosecond))
}

func signed(v int64, neg bool) int64 {
	if neg {
		return -v
	}
	return v
}

// number reads a number of units, or years-months.
func (in *intervalInput) number(s string, unit *intervalUnit) fieldError {
	neg := s[0] == '-'
	digits := strings.TrimLeft(s, "+-")
	n := 0
	for n < len(digits) && isDigit(digits[n]) {
		n++
	}
	rest := digits[n:]
	v, frac := int64(0), 0.0
	if n > 0 {
		var err error
		if v, err = strconv.ParseInt(digits[:n], 10, 64); err != nil {
			return fieldOverflow
		}
	}
	v = signed(v, neg)
	switch {
	case rest == "" && n > 0:
	case rest != "" && rest[0] == '-' && n > 0:
		months, e := atoi(rest[1:])
		if e != fieldOK {
			return e
		}
		if months > 11 {
			return fieldOverflow
		}
		*unit = unitMonth
		in.add(&in.years, v, 1)
		v = signed(int64(months), neg)
	case rest != "" && rest[0] == '.' && allDigits(rest[1:]):
		frac = fraction(rest[1:])
		if neg {
			frac = -frac
		}
	default:
		return fieldFormat
	}
	in.addUnit(*unit, v, frac)
	units := uint32(1) << *unit
	if *unit == unitSecond && frac != 0 {
		units |= 1<<unitMillisecond | 1<<unitMicrosecond
	}
	return in.mark(units)
}

// decodeISO reads what follows the P of an ISO 8601 duration, in the format
// with designators or in the alternative one.
func (in *intervalInput) decodeISO(s string) fieldError {
	if s == "" {
		return fieldFormat
	}
	date, time, _ := strings.Cut(s, "T")
	if e := in.isoPart(date, "YMWD", [...]intervalUnit{unitYear, unitMonth, unitWeek, unitDay}, "-", 8); e != fieldOK {
		return e
	}
	return in.isoPart(time, "HMS", [...]intervalUnit{unitHour, unitMinute, unitSecond, 0}, ":", 6)
}

// isoPart reads the date or the time of a duration: numbers with designators,
// or three numbers with a separator, or all digits in one.
func (in *intervalInput) isoPart(s, letters string, units [4]intervalUnit, sep string, width int) fieldError {
	plain := [3]intervalUnit{units[0], units[1], units[2]}
	if sep == "-" {
		plain[2] = unitDay
	}
	for n := 0; s != ""; n++ {
		v, frac, digits, rest, ok := isoNumber(s)
		if !ok {
			return fieldFormat
		}
		if rest != "" {
			if i := strings.IndexByte(letters, rest[0]); i >= 0 {
				in.addUnit(units[i], v, frac)
				s = rest[1:]
				continue
			}
		}
		if n > 0 {
			return fieldFormat
		}
		if rest == "" && digits == width {
			a, b, c := v/10000, v/100%100, v%100
			in.addUnit(plain[0], a, 0)
			in.addUnit(plain[1], b, 0)
			in.addUnit(plain[2], c, frac)
			return fieldOK
		}
		for i := 0; ; i++ {
			in.addUnit(plain[i], v, frac)
			if rest == "" {
				return fieldOK
			}
			if i == 2 || rest[:1] != sep {
				return fieldFormat
			}
			if v, frac, _, rest, ok = isoNumber(rest[1:]); !ok {
				return fieldFormat
			}
		}
	}
	return fieldOK
}

// isoNumber reads a signed number with an optional fraction.
func isoNumber(s string) (v int64, frac float64, digits int, rest string, ok bool) {
	neg := false
	if s != "" && (s[0] == '-' || s[0] == '+') {
		neg = s[0] == '-'
		s = s[1:]
	}
	for digits < len(s) && isDigit(s[digits]) {
		digits++
	}
	end := digits
	if end < len(s) && s[end] == '.' {
		end++
		for end < len(s) && isDigit(s[end]) {
			end++
		}
		frac = fraction(s[digits+1 : end])
	}
	if end == 0 || end == 1 && digits == 0 {
		return 0, 0, 0, "", false
	}
	if digits > 0 {
		var err error
		if v, err = strconv.ParseInt(s[:digits], 10, 64); err != nil {
			return 0, 0, 0, "", false
		}
	}
	if neg {
		v, frac = -v, -frac
	}
	return v, frac, digits, s[end:], true
}

func errIntervalRange() error {
	return pgerr.Newf(pgerr.DatetimeFieldOverflow, "interval out of range")
}

// applyMod drops the fields below the last of an interval type and rounds to
// its precision.
func (v IntervalValue) applyMod(mod int32) (IntervalValue, error) {
	if mod < 0 {
		return v, nil
	}
	mask, precision := mod>>16&intervalFull, mod&0xffff
	switch {
	case mask == intervalFull, mask&intervalSecond != 0:
	case mask&intervalMinute != 0:
		v.Micros -= v.Micros % microsPerMinute
	case mask&intervalHour != 0:
		v.Micros -= v.Micros % microsPerHour
	case mask&intervalDay != 0:
		v.Micros = 0
	case mask&intervalMonth != 0:
		v.Micros, v.Days = 0, 0
	case mask&intervalYear != 0:
		v.Micros, v.Days = 0, 0
		v.Months -= v.Months % 12
	}
	if precision < 6 && (mask == intervalFull || mask&intervalSecond != 0) {
		if absInt64(v.Micros) > math.MaxInt64-microsPerSecond {
			return v, errIntervalRange()
		}
		v.Micros = roundMicros(v.Micros, precision)
	}
	return v, nil
}
