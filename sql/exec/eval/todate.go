package eval

import (
	"github.com/helios-sql/helios-sql/sql/pgerr"
	"github.com/helios-sql/helios-sql/sql/types"
)

// A charTime is what to_date and to_timestamp have read: a local date and time.
type charTime struct {
	year, month, day int32
	hour, min, sec   int32
	us               int64
	precision        int32
	zoned            bool
	east             int64 // seconds, if zoned
}

func toDate(_ *Frame, a types.Datum, t *template) (types.Datum, error) {
	c, err := readCharTime(a.B, t)
	if err != nil {
		return a, err
	}
	outOfRange := pgerr.Newf(pgerr.DatetimeFieldOverflow, "date out of range: \"%s\"", a.B)
	if !c.inRange() {
		return a, outOfRange
	}
	days := types.DaysFromCivil(int(c.year), int(c.month), int(c.day))
	if days < minDate || days >= endDate {
		return a, outOfRange
	}
	return types.DInt(int64(days)), nil
}

func toTimestamp(f *Frame, a types.Datum, t *template) (types.Datum, error) {
	c, err := readCharTime(a.B, t)
	if err != nil {
		return a, err
	}
	if !c.inRange() {
		return a, errTimestampRange
	}
	days := int64(types.DaysFromCivil(int(c.year), int(c.month), int(c.day)))
	if days < minTimestamp/usecsPerDay-1 || days > endTimestamp/usecsPerDay-1 {
		return a, errTimestampRange
	}
	ts := days*usecsPerDay + int64(c.hour)*usecsPerHour + int64(c.min)*usecsPerMin + int64(c.sec)*usecsPerSec + c.us
	if c.zoned {
		ts -= c.east * usecsPerSec
	} else {
		ts = localToUTC(ts, f.zone())
	}
	d, err := timestamp(ts)
	if err == nil && c.precision > 0 {
		d.I = roundTo(d.I, c.precision)
	}
	return d, err
}

// inRange bounds the date to those that have a Julian day.
func (c *charTime) inRange() bool {
	return (c.year > -4713 || c.year == -4713 && c.month >= 11) && (c.year < 5874898 || c.year == 5874898 && c.month < 6)
}

// readCharTime reads a text as a template says and puts the fields together.
func readCharTime(src []byte, t *template) (charTime, error) {
	r := charReader{src: string(src)}
	r.in = r.src
	c := charTime{month: 1, day: 1}
	if t != nil {
		if err := r.read(t); err != nil {
			return c, err
		}
	}
	c.precision = r.precision
	if err := c.setTime(&r); err != nil {
		return c, err
	}
	given, err := c.setDate(&r)
	if err != nil {
		return c, err
	}
	c.us = int64(r.ms)*1000 + int64(r.us)
	badDate := given.month && (c.month < 1 || c.month > 12) || given.day && (c.day < 1 || c.day > 31) ||
		given.year && given.month && given.day && int(c.day) > types.DaysInMonth(int(c.year), int(c.month))
	if badDate || c.hour < 0 || c.hour >= 24 || c.min < 0 || c.min >= 60 || c.sec < 0 || c.sec >= 60 || c.us < 0 || c.us >= usecsPerSec {
		return c, pgerr.Newf(pgerr.DatetimeFieldOverflow, "date/time field value out of range: \"%s\"", src)
	}
	if r.zoneSign != 0 {
		if r.zoneHour < 0 || r.zoneHour > 15 || r.zoneMin < 0 || r.zoneMin >= 60 {
			return c, pgerr.Newf("22009", "time zone displacement out of range: \"%s\"", src)
		}
		c.zoned, c.east = true, int64(r.zoneSign)*(int64(r.zoneHour)*3600+int64(r.zoneMin)*60)
	}
	return c, nil
}

func (c *charTime) setTime(r *charReader) error {
	if x := r.ssss; x != 0 {
		c.hour, c.min, c.sec = x/3600, x%3600/60, x%60
	}
	for _, f := range []struct{ to, from *int32 }{{&c.sec, &r.sec}, {&c.min, &r.min}, {&c.hour, &r.hour}} {
		if *f.from != 0 {
			*f.to = *f.from
		}
	}
	if r.twelve == 0 {
		return nil
	}
	if c.hour < 1 || c.hour > 12 {
		return pgerr.Newf(pgerr.InvalidDatetimeFormat, "hour \"%d\" is invalid for the 12-hour clock", c.hour).
			WithHint("Use the 24-hour clock, or give an hour between 1 and 12.")
	}
	if r.pm != 0 && c.hour < 12 {
		c.hour += 12
	} else if r.pm == 0 && c.hour == 12 {
		c.hour = 0
	}
	return nil
}

// givenFields says which parts of a date are known.
type givenFields struct{ year, month, day bool }

func (c *charTime) setDate(r *charReader) (givenFields, error) {
	var given givenFields
	given.year = c.setYear(r)
	if r.julian != 0 {
		c.setJulian(int(r.julian))
		given = givenFields{true, true, true}
	}
	yday := r.yday
	if r.week != 0 {
		if r.mode == 'i' {
			day := isoWeekStart(int(c.year), int(r.week))
			switch {
			case r.weekday > 1:
				day += int(r.weekday) - 2
			case r.weekday != 0:
				day += 6
			}
			c.setJulian(day)
			given = givenFields{true, true, true}
		} else {
			yday = (r.week-1)*7 + 1
		}
	}
	day := r.day
	if r.weekOfMonth != 0 {
		day = (r.weekOfMonth-1)*7 + 1
	}
	if day != 0 {
		c.day, given.day = day, true
	}
	if r.month != 0 {
		c.month, given.month = r.month, true
	}
	if yday == 0 || c.month > 1 && c.day > 1 {
		return given, nil
	}
	if c.year == 0 && r.bc == 0 {
		return given, pgerr.Newf(pgerr.InvalidDatetimeFormat, "cannot calculate day of year without year information")
	}
	if r.mode == 'i' {
		c.setJulian(isoWeekStart(int(c.year), 1) - 1 + int(yday))
		return givenFields{true, true, true}, nil
	}
	month, before := int32(1), int32(0)
	for ; month <= 12; month++ {
		n := int32(types.DaysInMonth(int(c.year), int(month)))
		if yday <= before+n {
			break
		}
		before += n
	}
	if c.month <= 1 {
		c.month = month
	}
	if c.day <= 1 {
		c.day = yday - before
	}
	given.month, given.day = true, true
	return given, nil
}

// setYear puts year, century and era together.
func (c *charTime) setYear(r *charReader) bool {
	cc := r.cc
	if cc != 0 && r.bc != 0 {
		cc = -cc
	}
	switch {
	case r.year != 0 && r.cc != 0 && r.yearSize <= 2:
		c.year = r.year % 100
		switch {
		case c.year != 0 && cc >= 0:
			c.year += (cc - 1) * 100
		case c.year != 0:
			c.year = (cc+1)*100 - c.year + 1
		case cc >= 0:
			c.year = cc * 100
		default:
			c.year = cc*100 + 1
		}
	case r.year != 0:
		if c.year = r.year; r.bc != 0 {
			c.year = -c.year
		}
		if c.year < 0 {
			c.year++
		}
	case r.cc != 0:
		if c.year = cc*100 + 1; cc >= 0 {
			c.year = (cc-1)*100 + 1
		}
	default:
		return false
	}
	return true
}

func (c *charTime) setJulian(day int) {
	y, m, d := types.CivilFromDays(day - julianEpoch)
	c.year, c.month, c.day = int32(y), int32(m), int32(d)
}
