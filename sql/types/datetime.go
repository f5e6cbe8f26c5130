package types

import (
	"encoding/binary"
	"math"
	"strconv"
	"time"
)

const (
	microsPerSecond = 1_000_000
	microsPerMinute = 60 * microsPerSecond
	microsPerHour   = 60 * microsPerMinute
	microsPerDay    = 24 * microsPerHour
	secondsPerDay   = 86400

	unixToEpoch = 10957 // days from 1970-01-01 to 2000-01-01
)

// ±infinity of date and of the timestamp types.
const (
	DateNegInfinity      = math.MinInt32
	DateInfinity         = math.MaxInt32
	TimestampNegInfinity = math.MinInt64
	TimestampInfinity    = math.MaxInt64
)

// PostgreSQL's ranges: dates from 4714-11-24 BC (Julian day 0) to before
// 5874898-01-01, timestamps to before 294277-01-01.
const (
	minDate      = -2451545
	endDate      = 2145031949
	minTimestamp = -211813488000000000
	endTimestamp = 9223371331200000000
)

// A TimeTZValue is a timetz: µs since local midnight, and the zone in seconds
// west of UTC.
type TimeTZValue struct {
	Micros int64
	West   int32
}

func decodeTimeTZ(p []byte) TimeTZValue {
	return TimeTZValue{int64(binary.LittleEndian.Uint64(p)), int32(binary.LittleEndian.Uint32(p[8:]))}
}

// DecodeTimeTZ reads the payload of a timetz.
func DecodeTimeTZ(p []byte) TimeTZValue { return decodeTimeTZ(p) }

// AppendTimeTZ appends the payload of a timetz, without header.
func AppendTimeTZ(dst []byte, v TimeTZValue) []byte { return appendTimeTZ(dst, v) }

func appendTimeTZ(dst []byte, v TimeTZValue) []byte {
	dst = binary.LittleEndian.AppendUint64(dst, uint64(v.Micros))
	return binary.LittleEndian.AppendUint32(dst, uint32(v.West))
}

// DaysFromCivil gives the days since 2000-01-01 of a date of the proleptic
// Gregorian calendar; year 0 is 1 BC. Months beyond 1 to 12 carry.
func DaysFromCivil(year, month, day int) int {
	m := month - 3 // years start in March, so that leap days end them
	year += floorDiv(m, 12)
	m = floorMod(m, 12)
	era := floorDiv(year, 400)
	yoe := year - era*400
	doy := (153*m+2)/5 + day - 1
	return era*146097 + yoe*365 + yoe/4 - yoe/100 + doy - 730425
}

// CivilFromDays is the inverse of DaysFromCivil.
func CivilFromDays(days int) (year, month, day int) {
	z := days + 730425
	era := floorDiv(z, 146097)
	doe := z - era*146097
	yoe := (doe - doe/1460 + doe/36524 - doe/146096) / 365
	doy := doe - (365*yoe + yoe/4 - yoe/100)
	mp := (5*doy + 2) / 153
	day = doy - (153*mp+2)/5 + 1
	month = mp + 3
	year = yoe + era*400
	if month > 12 {
		month -= 12
		year++
	}
	return year, month, day
}

func floorDiv(a, b int) int {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

func floorMod(a, b int) int { return a - floorDiv(a, b)*b }

// DaysInMonth gives the length of a month, 1 to 12.
func DaysInMonth(year, month int) int {
	if month == 2 {
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	}
	return 30 + (month+month/8)&1
}

// SplitTimestamp gives the day and the µs within it of a finite timestamp.
func SplitTimestamp(ts int64) (days int, micros int64) {
	days = int(ts / microsPerDay)
	micros = ts % microsPerDay
	if micros < 0 {
		micros += microsPerDay
		days--
	}
	return days, micros
}

// UTCOffset gives the seconds east of UTC that hold in a zone at a finite
// timestamptz.
func UTCOffset(loc *time.Location, ts int64) int {
	if loc == nil || loc == time.UTC {
		return 0
	}
	days, micros := SplitTimestamp(ts)
	_, off := time.Unix(int64(days+unixToEpoch)*secondsPerDay+micros/microsPerSecond, 0).In(loc).Zone()
	return off
}

// TimestampFromTZ gives the local time of a timestamptz in a zone; ±infinity
// stay.
func TimestampFromTZ(loc *time.Location, ts int64) int64 {
	if ts == TimestampInfinity || ts == TimestampNegInfinity {
		return ts
	}
	return ts + int64(UTCOffset(loc, ts))*microsPerSecond
}

// TimestampToTZ gives the timestamptz of a local time in a zone; ±infinity
// stay. A time that a zone skips is read with the offset before the gap, one
// that occurs twice with the later offset, as PostgreSQL does.
func TimestampToTZ(loc *time.Location, ts int64) int64 {
	if ts == TimestampInfinity || ts == TimestampNegInfinity {
		return ts
	}
	return ts - int64(localOffset(loc, ts))*microsPerSecond
}

// localOffset gives the seconds east of UTC of a local time.
func localOffset(loc *time.Location, ts int64) int {
	if loc == nil || loc == time.UTC {
		return 0
	}
	days, micros := SplitTimestamp(ts)
	local := int64(days+unixToEpoch)*secondsPerDay + micros/microsPerSecond
	prev := time.Unix(local-secondsPerDay, 0).In(loc)
	_, before := prev.Zone()
	_, end := prev.ZoneBounds()
	if end.IsZero() {
		return before
	}
	_, after := end.Zone()
	boundary := end.Unix()
	b, a := local-int64(before), local-int64(after)
	switch {
	case b < boundary && a < boundary:
		return before
	case b >= boundary && a >= boundary:
		return after
	case b > a:
		return before
	}
	return after
}

func append2(dst []byte, v int) []byte { return append(dst, byte('0'+v/10%10), byte('0'+v%10)) }

func appendDate(dst []byte, days int) (text []byte, bc bool) {
	y, m, d := CivilFromDays(days)
	if y <= 0 {
		y, bc = 1-y, true
	}
	if y >= 10000 {
		dst = strconv.AppendInt(dst, int64(y), 10)
	} else {
		dst = append2(append2(dst, y/100), y)
	}
	dst = append2(append(dst, '-'), m)
	return append2(append(dst, '-'), d), bc
}

// AppendTimeText appends a time of day, HH:MM:SS[.ffffff].
func AppendTimeText(dst []byte, micros int64) []byte {
	sec := int(micros / microsPerSecond)
	dst = append2(dst, sec/3600)
	dst = append2(append(dst, ':'), sec/60%60)
	dst = append2(append(dst, ':'), sec%60)
	return appendFraction(dst, int(micros%microsPerSecond))
}

// appendFraction appends .ffffff without trailing zeros, nothing for 0.
func appendFraction(dst []byte, micros int) []byte {
	if micros == 0 {
		return dst
	}
	dst = append(dst, '.')
	for unit := 100000; micros > 0; unit /= 10 {
		dst = append(dst, byte('0'+micros/unit))
		micros %= unit
	}
	return dst
}

// appendZone appends +HH[:MM[:SS]].
func appendZone(dst []byte, east int) []byte {
	sign := byte('+')
	if east < 0 {
		sign, east = '-', -east
	}
	dst = append2(append(dst, sign), east/3600)
	if east%3600 != 0 {
		dst = append2(append(dst, ':'), east/60%60)
	}
	if east%60 != 0 {
		dst = append2(append(dst, ':'), east%60)
	}
	return dst
}

func appendInfinity(dst []byte, positive bool) []byte {
	if !positive {
		dst = append(dst, '-')
	}
	return append(dst, "infinity"...)
}

func appendBC(dst []byte, bc bool) []byte {
	if bc {
		return append(dst, " BC"...)
	}
	return dst
}

// AppendDateText appends a date's ISO text.
func AppendDateText(dst []byte, days int32) []byte {
	if days == DateInfinity || days == DateNegInfinity {
		return appendInfinity(dst, days > 0)
	}
	return appendBC(appendDate(dst, int(days)))
}

// AppendTimestampText appends a timestamp's ISO text.
func AppendTimestampText(dst []byte, ts int64) []byte {
	if ts == TimestampInfinity || ts == TimestampNegInfinity {
		return appendInfinity(dst, ts > 0)
	}
	days, micros := SplitTimestamp(ts)
	dst, bc := appendDate(dst, days)
	return appendBC(AppendTimeText(append(dst, ' '), micros), bc)
}

// AppendTimestampTZText appends a timestamptz's ISO text in a zone, nil for
// UTC.
func AppendTimestampTZText(dst []byte, ts int64, loc *time.Location) []byte {
	if ts == TimestampInfinity || ts == TimestampNegInfinity {
		return appendInfinity(dst, ts > 0)
	}
	off := UTCOffset(loc, ts)
	days, micros := SplitTimestamp(ts)
	micros += int64(off) * microsPerSecond
	if micros < 0 {
		micros += microsPerDay
		days--
	} else if micros >= microsPerDay {
		micros -= microsPerDay
		days++
	}
	dst, bc := appendDate(dst, days)
	return appendBC(appendZone(AppendTimeText(append(dst, ' '), micros), off), bc)
}

// AppendTimeTZText appends a timetz's text.
func AppendTimeTZText(dst []byte, v TimeTZValue) []byte {
	return appendZone(AppendTimeText(dst, v.Micros), -int(v.West))
}

// roundMicros rounds to a time type's precision, half away from zero.
func roundMicros(v int64, precision int32) int64 {
	if precision < 0 || precision >= 6 || v == TimestampInfinity || v == TimestampNegInfinity {
		return v
	}
	unit := pow10[6-precision]
	if v >= 0 {
		return (v + unit/2) / unit * unit
	}
	return -((-v + unit/2) / unit * unit)
}
