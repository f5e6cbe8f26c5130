package types

// digits2 reads two digits.
func digits2(s []byte, off int) (int, bool) {
	a, b := s[off]-'0', s[off+1]-'0'
	return int(a)*10 + int(b), a <= 9 && b <= 9
}

// isoDate reads YYYY-MM-DD at the start of s, as PostgreSQL prints it.
func isoDate(s []byte) (days int, ok bool) {
	if len(s) < 10 || s[4] != '-' || s[7] != '-' {
		return 0, false
	}
	c, ok1 := digits2(s, 0)
	y, ok2 := digits2(s, 2)
	m, ok3 := digits2(s, 5)
	d, ok4 := digits2(s, 8)
	y += c * 100
	if !(ok1 && ok2 && ok3 && ok4) || y == 0 || m == 0 || m > 12 || d == 0 || d > DaysInMonth(y, m) {
		return 0, false
	}
	return DaysFromCivil(y, m, d), true
}

// isoTime reads HH:MM:SS[.ffffff] at the start of s and gives what follows.
func isoTime(s []byte) (micros int64, rest []byte, ok bool) {
	if len(s) < 8 || s[2] != ':' || s[5] != ':' {
		return 0, nil, false
	}
	h, ok1 := digits2(s, 0)
	m, ok2 := digits2(s, 3)
	sec, ok3 := digits2(s, 6)
	if !(ok1 && ok2 && ok3) || h > 23 || m > 59 || sec > 59 {
		return 0, nil, false
	}
	micros = int64(h*3600+m*60+sec) * microsPerSecond
	s = s[8:]
	if len(s) > 0 && s[0] == '.' {
		unit := int64(100000)
		for s = s[1:]; len(s) > 0 && s[0]-'0' <= 9; s = s[1:] {
			if unit == 0 {
				return 0, nil, false // more than six digits are rounded elsewhere
			}
			micros += int64(s[0]-'0') * unit
			unit /= 10
		}
	}
	return micros, s, true
}

// isoZone reads ±HH[:MM] as all of s, in seconds east of UTC.
func isoZone(s []byte) (east int, ok bool) {
	if len(s) != 3 && (len(s) != 6 || s[3] != ':') || s[0] != '+' && s[0] != '-' {
		return 0, false
	}
	h, ok := digits2(s, 1)
	m := 0
	if len(s) == 6 && ok {
		m, ok = digits2(s, 4)
	}
	if !ok || h > 15 || m > 59 {
		return 0, false
	}
	east = h*3600 + m*60
	if s[0] == '-' {
		east = -east
	}
	return east, true
}

// isoTimestamp reads a timestamp in the form in which PostgreSQL prints it;
// rest is what follows the time.
func isoTimestamp(s []byte) (ts int64, rest []byte, ok bool) {
	if len(s) < 19 || s[10] != ' ' && s[10] != 'T' {
		return 0, nil, false
	}
	days, ok := isoDate(s)
	if !ok {
		return 0, nil, false
	}
	micros, rest, ok := isoTime(s[11:])
	return int64(days)*microsPerDay + micros, rest, ok
}

// parseDate parses a date.
func (f *Format) parseDate(text []byte) (int32, error) {
	if len(text) == 10 {
		if days, ok := isoDate(text); ok {
			return int32(days), nil
		}
	}
	return f.parseDateSlow(text)
}

// parseTimestamp parses a timestamp of a precision, −1 for none. A time zone
// in the text is read over, as in PostgreSQL.
func (f *Format) parseTimestamp(text []byte, precision int32) (int64, error) {
	if ts, rest, ok := isoTimestamp(text); ok && len(rest) == 0 {
		return roundMicros(ts, precision), nil
	}
	return f.parseTimestampSlow(text, Timestamp, precision)
}

// parseTimestampTZ parses a timestamptz; without a zone in the text it is
// local time of the session.
func (f *Format) parseTimestampTZ(text []byte, precision int32) (int64, error) {
	if ts, rest, ok := isoTimestamp(text); ok {
		if len(rest) == 0 {
			return roundMicros(TimestampToTZ(f.TimeZone, ts), precision), nil
		}
		if east, ok := isoZone(rest); ok {
			return roundMicros(ts-int64(east)*microsPerSecond, precision), nil
		}
	}
	return f.parseTimestampSlow(text, TimestampTZ, precision)
}

// parseTime parses a time.
func (f *Format) parseTime(text []byte, precision int32) (int64, error) {
	if micros, rest, ok := isoTime(text); ok && len(rest) == 0 {
		return roundMicros(micros, precision), nil
	}
	v, err := f.parseTimeSlow(text, Time)
	return roundMicros(v.Micros, precision), err
}

// parseTimeTZ parses a timetz; without a zone in the text it is the
// session's.
func (f *Format) parseTimeTZ(text []byte, precision int32) (TimeTZValue, error) {
	if micros, rest, ok := isoTime(text); ok {
		if east, ok := isoZone(rest); ok {
			return TimeTZValue{roundMicros(micros, precision), int32(-east)}, nil
		}
	}
	v, err := f.parseTimeSlow(text, TimeTZ)
	v.Micros = roundMicros(v.Micros, precision)
	return v, err
}
