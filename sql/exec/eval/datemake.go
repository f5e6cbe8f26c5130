package eval

import (
	"math"
	"strconv"
	"time"

	"github.com/helios-sql/helios-sql/sql/pgerr"
	"github.com/helios-sql/helios-sql/sql/planner/scalar"
	"github.com/helios-sql/helios-sql/sql/types"
)

// age subtracts field by field, so that the result has years, months and days.
func age(f *Frame, a, b types.Datum) (types.Datum, error) {
	if a.I == types.TimestampNegInfinity || b.I == types.TimestampNegInfinity {
		return a, errTimestampRange
	}
	neg := a.I < b.I
	hi, lo := a.I, b.I
	if neg {
		hi, lo = lo, hi
	}
	hd, hus := types.SplitTimestamp(hi)
	ld, lus := types.SplitTimestamp(lo)
	hy, hm, hday := types.CivilFromDays(hd)
	ly, lm, lday := types.CivilFromDays(ld)
	us, days, months := hus-lus, hday-lday, (hy-ly)*12+hm-lm
	if us < 0 {
		us += usecsPerDay
		days--
	}
	for days < 0 {
		days += types.DaysInMonth(ly, lm) // PostgreSQL borrows the earlier date's month
		months--
	}
	v := types.IntervalValue{Micros: us, Days: int32(days), Months: int32(months)}
	if neg {
		v = types.IntervalValue{Micros: -us, Days: -v.Days, Months: -v.Months}
	}
	return f.interval(v), nil
}

func dateBin(_ *Frame, stride, a, origin types.Datum) (types.Datum, error) {
	if timestampInfinite(a.I) {
		return a, nil
	}
	v := types.DecodeInterval(stride.B)
	switch {
	case timestampInfinite(origin.I):
		return a, pgerr.Newf(pgerr.DatetimeFieldOverflow, "origin out of range")
	case v.Months != 0:
		return a, pgerr.Newf(pgerr.FeatureNotSupported, "timestamps cannot be binned into intervals containing months or years")
	}
	step := int64(v.Days)*usecsPerDay + v.Micros
	if step <= 0 {
		return a, pgerr.Newf(pgerr.DatetimeFieldOverflow, "stride must be greater than zero")
	}
	diff := a.I - origin.I
	if (diff < a.I) != (origin.I > 0) && origin.I != 0 {
		return a, errIntervalRange
	}
	bin := diff - diff%step
	if diff%step < 0 {
		bin -= step
	}
	return types.DInt(origin.I + bin), nil
}

func toTimestampFloat(_ *Frame, a types.Datum) (types.Datum, error) {
	x := a.Float()
	switch {
	case math.IsNaN(x):
		return a, pgerr.Newf(pgerr.DatetimeFieldOverflow, "timestamp cannot be NaN")
	case math.IsInf(x, 1):
		return types.DInt(types.TimestampInfinity), nil
	case math.IsInf(x, -1):
		return types.DInt(types.TimestampNegInfinity), nil
	case x < -210866803200 || x >= 9224318016000:
		return a, pgerr.Newf(pgerr.DatetimeFieldOverflow, "timestamp out of range: \"%g\"", x)
	}
	return timestamp(int64(math.RoundToEven((x - 10957*86400) * 1e6)))
}

func makeDate(_ *Frame, y, m, d types.Datum) (types.Datum, error) {
	year := y.I
	if year < 0 {
		year++
	}
	if y.I == 0 || m.I < 1 || m.I > 12 || d.I < 1 || d.I > int64(types.DaysInMonth(int(year), int(m.I))) {
		return y, pgerr.Newf(pgerr.DatetimeFieldOverflow, "date field value out of range: %d-%02d-%02d", year, m.I, d.I)
	}
	days := types.DaysFromCivil(int(year), int(m.I), int(d.I))
	if days < minDate || days >= endDate {
		return y, pgerr.Newf(pgerr.DatetimeFieldOverflow, "date out of range: %d-%02d-%02d", y.I, m.I, d.I)
	}
	return types.DInt(int64(days)), nil
}

func makeTime(_ *Frame, h, m, s types.Datum) (types.Datum, error) {
	sec := s.Float()
	us := math.RoundToEven(sec * 1e6)
	ok := h.I >= 0 && m.I >= 0 && m.I < 60 && us >= 0 && us <= 60e6 &&
		(h.I < 24 || h.I == 24 && m.I == 0 && us == 0) && !math.IsNaN(sec)
	total := h.I*usecsPerHour + m.I*usecsPerMin + int64(us)
	if !ok || total > usecsPerDay {
		return h, pgerr.Newf(pgerr.DatetimeFieldOverflow, "time field value out of range: %d:%02d:%s", h.I, m.I, shortFloat(sec))
	}
	return types.DInt(total), nil
}

func makeTimestamp(f *Frame, args []types.Datum) (types.Datum, error) {
	d, err := makeDate(f, args[0], args[1], args[2])
	if err != nil {
		return d, pgerr.Newf(pgerr.DatetimeFieldOverflow, "date field value out of range: %d-%02d-%02d", args[0].I, args[1].I, args[2].I)
	}
	t, err := makeTime(f, args[3], args[4], args[5])
	if err != nil {
		return t, err
	}
	if d.I >= endTimestamp/usecsPerDay || d.I < minTimestamp/usecsPerDay {
		return d, pgerr.Newf(pgerr.DatetimeFieldOverflow, "timestamp out of range: %d-%02d-%02d %d:%02d:%s",
			args[0].I, args[1].I, args[2].I, args[3].I, args[4].I, shortFloat(args[5].Float()))
	}
	return timestamp(d.I*usecsPerDay + t.I)
}

// shortFloat is C's %02g.
func shortFloat(x float64) string {
	s := strconv.FormatFloat(x, 'g', 6, 64)
	if len(s) < 2 {
		s = "0" + s
	}
	return s
}

// makeIntervalOf makes an interval of years, months, weeks, days, hours, minutes and seconds, as many as given.
func makeIntervalOf(c *compiler, call *scalar.Call) (impl, error) {
	return fnN(func(f *Frame, args []types.Datum) (types.Datum, error) {
		var n [6]int64
		for i := range min(len(args), 6) {
			n[i] = args[i].I
		}
		secs := 0.0
		if len(args) == 7 {
			secs = args[6].Float()
		}
		if math.IsInf(secs, 0) || math.IsNaN(secs) {
			return types.Datum{}, errIntervalRange
		}
		months, days := n[0]*12+n[1], n[2]*7+n[3]
		us := n[4]*usecsPerHour + n[5]*usecsPerMin + int64(math.RoundToEven(secs*1e6))
		return f.interval(types.IntervalValue{Micros: us, Days: int32(days), Months: int32(months)}), nil
	}), nil
}

// justify turns days of 24 hours and months of 30 days out of smaller units,
// and makes the signs of all fields agree.
func justify(hours, days bool) fn1 {
	return func(f *Frame, a types.Datum) (types.Datum, error) {
		v := types.DecodeInterval(a.B)
		if hours && !days {
			return f.interval(justifyHours(v)), nil
		}
		if hours {
			d := v.Micros / usecsPerDay
			v.Micros -= d * usecsPerDay
			v.Days += int32(d)
		}
		m := v.Days / 30
		v.Days -= m * 30
		v.Months += m
		rest := func() bool { return v.Days < 0 || v.Days == 0 && hours && v.Micros < 0 }
		restUp := func() bool { return v.Days > 0 || v.Days == 0 && hours && v.Micros > 0 }
		if v.Months > 0 && rest() {
			v.Days += 30
			v.Months--
		} else if v.Months < 0 && restUp() {
			v.Days -= 30
			v.Months++
		}
		if hours {
			if v.Days > 0 && v.Micros < 0 {
				v.Micros += usecsPerDay
				v.Days--
			} else if v.Days < 0 && v.Micros > 0 {
				v.Micros -= usecsPerDay
				v.Days++
			}
		}
		return f.interval(v), nil
	}
}

// atZone lifts a conversion at a named time zone; a constant name is looked up once.
// The infinities are the same in all zones, even unknown ones.
func atZone(convert func(f *Frame, z *time.Location, a types.Datum) (types.Datum, error)) builder {
	return func(c *compiler, call *scalar.Call) (impl, error) {
		find := loadZone
		if k, ok := constArg(call, 0); ok {
			z, err := loadZone(k.B)
			find = func([]byte) (*time.Location, error) { return z, err }
		}
		return fn2(func(f *Frame, name, a types.Datum) (types.Datum, error) {
			if a.B == nil && timestampInfinite(a.I) {
				return a, nil
			}
			z, err := find(name.B)
			if err != nil {
				return a, err
			}
			return convert(f, z, a)
		}), nil
	}
}

// atOffset is atZone for an interval east of UTC.
func atOffset(convert func(f *Frame, z *time.Location, a types.Datum) (types.Datum, error)) fn2 {
	return func(f *Frame, off, a types.Datum) (types.Datum, error) {
		v := types.DecodeInterval(off.B)
		if a.B == nil && timestampInfinite(a.I) {
			return a, nil
		}
		if v.Months != 0 || v.Days != 0 {
			return a, pgerr.Newf(pgerr.InvalidParameterValue, "interval time zone \"%s\" must not include months or days", types.AppendIntervalText(nil, v))
		}
		return convert(f, time.FixedZone("", int(v.Micros/usecsPerSec)), a)
	}
}

func timetzAt(f *Frame, z *time.Location, a types.Datum) (types.Datum, error) {
	v := types.DecodeTimeTZ(a.B)
	west := int32(-types.UTCOffset(z, f.ctx.Now))
	_, us := types.SplitTimestamp(v.Micros + int64(v.West-west)*usecsPerSec)
	return f.keep(types.AppendTimeTZ(f.out(), types.TimeTZValue{Micros: us, West: west})), nil
}
