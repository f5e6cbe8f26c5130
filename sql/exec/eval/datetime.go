package eval

import (
	"math"
	"time"

	"github.com/helios-sql/helios-sql/sql/pgerr"
	"github.com/helios-sql/helios-sql/sql/types"
)

const (
	usecsPerSec  = int64(1_000_000)
	usecsPerMin  = 60 * usecsPerSec
	usecsPerHour = 60 * usecsPerMin
	usecsPerDay  = 24 * usecsPerHour

	minTimestamp = -211813488000000000 // 4714-11-24 BC
	endTimestamp = 9223371331200000000 // 294277-01-01
	minDate      = -2451545
	endDate      = 2145031949
)

// datetimeFuncs are the operators and conversions of dates, times and intervals.
var datetimeFuncs = map[string]impl{
	"date_pli(date,int4)": fn2(dateAdd), "date_mii(date,int4)": fn2(func(f *Frame, a, b types.Datum) (types.Datum, error) {
		return dateAdd(f, a, types.DInt(-b.I))
	}),
	"integer_pl_date(int4,date)": swap(dateAdd),
	"date_mi(date,date)": fn2(func(_ *Frame, a, b types.Datum) (types.Datum, error) {
		if dateInfinite(a.I) || dateInfinite(b.I) {
			return a, pgerr.Newf(pgerr.DatetimeFieldOverflow, "cannot subtract infinite dates")
		}
		return types.DInt(a.I - b.I), nil
	}),
	"date_pl_interval(date,interval)": fn2(datePlusInterval), "interval_pl_date(interval,date)": swap(datePlusInterval),
	"date_mi_interval(date,interval)": minusInterval(datePlusInterval),
	"datetime_pl(date,time)":          fn2(datetimePl), "timedate_pl(time,date)": swap(datetimePl), "timestamp(date,time)": fn2(datetimePl),
	"datetimetz_pl(date,timetz)": fn2(datetimetzPl), "timetzdate_pl(timetz,date)": swap(datetimetzPl), "timestamptz(date,timetz)": fn2(datetimetzPl),
	"timestamptz(date,time)": fn2(func(f *Frame, a, b types.Datum) (types.Datum, error) {
		d, err := datetimePl(f, a, b)
		if err != nil {
			return d, err
		}
		return zoned(d.I, f.zone())
	}),
	"timestamp_pl_interval(timestamp,interval)": fn2(timestampPlus), "interval_pl_timestamp(interval,timestamp)": swap(timestampPlus),
	"timestamp_mi_interval(timestamp,interval)":     minusInterval(timestampPlus),
	"timestamptz_pl_interval(timestamptz,interval)": fn2(timestamptzPlus),
	"interval_pl_timestamptz(interval,timestamptz)": swap(timestamptzPlus),
	"timestamptz_mi_interval(timestamptz,interval)": minusInterval(timestamptzPlus),
	"timestamp_mi(timestamp,timestamp)":             fn2(timestampDiff),
	"timestamptz_mi(timestamptz,timestamptz)":       fn2(timestampDiff),
	"interval_pl(interval,interval)":                fn2(intervalPlus),
	"interval_mi(interval,interval)":                minusInterval(intervalPlus),
	"interval_um(interval)":                         fn1(intervalNeg),
	"interval_mul(interval,float8)":                 fn2(intervalMul), "mul_d_interval(float8,interval)": swap(intervalMul),
	"interval_div(interval,float8)":   fn2(intervalDiv),
	"time_pl_interval(time,interval)": fn2(timePlus),
	"interval_pl_time(interval,time)": swap(timePlus),
	"time_mi_interval(time,interval)": minusInterval(timePlus),
	"time_mi_time(time,time)": fn2(func(f *Frame, a, b types.Datum) (types.Datum, error) {
		return f.interval(types.IntervalValue{Micros: a.I - b.I}), nil
	}),
	"timetz_pl_interval(timetz,interval)": fn2(timetzPlus),
	"interval_pl_timetz(interval,timetz)": swap(timetzPlus),
	"timetz_mi_interval(timetz,interval)": minusInterval(timetzPlus),
	"timestamp(date)":                     fn1(dateToTimestamp),
	"timestamptz(date)": fn1(func(f *Frame, a types.Datum) (types.Datum, error) {
		d, err := dateToTimestamp(f, a)
		if err != nil {
			return d, err
		}
		return zoned(d.I, f.zone())
	}),
	"date(timestamp)":        fn1(timestampToDate),
	"date(timestamptz)":      fn1(func(f *Frame, a types.Datum) (types.Datum, error) { return timestampToDate(f, f.local(a)) }),
	"time(timestamp)":        fn1(timestampToTime),
	"time(timestamptz)":      fn1(func(f *Frame, a types.Datum) (types.Datum, error) { return timestampToTime(f, f.local(a)) }),
	"timestamptz(timestamp)": fn1(func(f *Frame, a types.Datum) (types.Datum, error) { return zoned(a.I, f.zone()) }),
	"timestamp(timestamptz)": fn1(func(f *Frame, a types.Datum) (types.Datum, error) { return f.local(a), nil }),
	"timetz(timestamptz)": fn1(func(f *Frame, a types.Datum) (types.Datum, error) {
		if timestampInfinite(a.I) {
			return types.NullDatum, nil
		}
		off := types.UTCOffset(f.zone(), a.I)
		_, us := types.SplitTimestamp(a.I + int64(off)*usecsPerSec)
		return f.keep(types.AppendTimeTZ(f.out(), types.TimeTZValue{Micros: us, West: int32(-off)})), nil
	}),
	"timetz(time)": fn1(func(f *Frame, a types.Datum) (types.Datum, error) {
		day, _ := types.SplitTimestamp(types.TimestampFromTZ(f.zone(), f.ctx.Now))
		utc := types.TimestampToTZ(f.zone(), int64(day)*usecsPerDay+a.I)
		return f.keep(types.AppendTimeTZ(f.out(), types.TimeTZValue{Micros: a.I, West: int32(-types.UTCOffset(f.zone(), utc))})), nil
	}),
	"time(timetz)": fn1(func(_ *Frame, a types.Datum) (types.Datum, error) {
		return types.DInt(types.DecodeTimeTZ(a.B).Micros), nil
	}),
	"time(interval)": fn1(func(_ *Frame, a types.Datum) (types.Datum, error) {
		_, us := types.SplitTimestamp(types.DecodeInterval(a.B).Micros)
		return types.DInt(us), nil
	}),
	"interval(time)": fn1(func(f *Frame, a types.Datum) (types.Datum, error) {
		return f.interval(types.IntervalValue{Micros: a.I}), nil
	}),
	"isfinite(date)":        fn1(func(_ *Frame, a types.Datum) (types.Datum, error) { return types.DBool(!dateInfinite(a.I)), nil }),
	"isfinite(timestamp)":   fn1(isFiniteTimestamp),
	"isfinite(timestamptz)": fn1(isFiniteTimestamp),
	"isfinite(interval)":    fn1(func(*Frame, types.Datum) (types.Datum, error) { return types.DBool(true), nil }),
}

// swap exchanges the arguments.
func swap(fn fn2) fn2 {
	return func(f *Frame, a, b types.Datum) (types.Datum, error) { return fn(f, b, a) }
}

// minusInterval subtracts an interval by adding its negative.
func minusInterval(plus fn2) fn2 {
	return func(f *Frame, a, b types.Datum) (types.Datum, error) {
		v := types.DecodeInterval(b.B)
		var neg [16]byte
		n, err := negate(v)
		if err != nil {
			return a, err
		}
		return plus(f, a, types.Datum{B: types.AppendInterval(neg[:0], n)})
	}
}

var (
	errDateRange      = pgerr.Newf(pgerr.DatetimeFieldOverflow, "date out of range")
	errTimestampRange = pgerr.Newf(pgerr.DatetimeFieldOverflow, "timestamp out of range")
	errIntervalRange  = pgerr.Newf(pgerr.DatetimeFieldOverflow, "interval out of range")
)

func dateInfinite(d int64) bool {
	return d == types.DateInfinity || d == types.DateNegInfinity
}

func timestampInfinite(ts int64) bool {
	return ts == types.TimestampInfinity || ts == types.TimestampNegInfinity
}

func isFiniteTimestamp(_ *Frame, a types.Datum) (types.Datum, error) {
	return types.DBool(!timestampInfinite(a.I)), nil
}

// interval keeps an interval in the arena.
func (f *Frame) interval(v types.IntervalValue) types.Datum {
	return f.keep(types.AppendInterval(f.out(), v))
}

// local is a timestamptz as the local time of the session's zone.
func (f *Frame) local(a types.Datum) types.Datum {
	return types.DInt(types.TimestampFromTZ(f.zone(), a.I))
}

func localToUTC(us int64, zone *time.Location) int64 { return types.TimestampToTZ(zone, us) }

// timestamp checks a result's range.
func timestamp(ts int64) (types.Datum, error) {
	if ts < minTimestamp || ts >= endTimestamp {
		return types.Datum{}, errTimestampRange
	}
	return types.DInt(ts), nil
}

// zoned reads a local time in a zone.
func zoned(ts int64, zone *time.Location) (types.Datum, error) {
	if timestampInfinite(ts) {
		return types.DInt(ts), nil
	}
	return timestamp(localToUTC(ts, zone))
}

func dateAdd(_ *Frame, a, n types.Datum) (types.Datum, error) {
	if dateInfinite(a.I) {
		return a, nil
	}
	d := a.I + n.I
	if d < minDate || d >= endDate {
		return a, errDateRange
	}
	return types.DInt(d), nil
}

func dateToTimestamp(_ *Frame, a types.Datum) (types.Datum, error) {
	switch {
	case a.I == types.DateInfinity:
		return types.DInt(types.TimestampInfinity), nil
	case a.I == types.DateNegInfinity:
		return types.DInt(types.TimestampNegInfinity), nil
	case a.I >= endTimestamp/usecsPerDay:
		return a, pgerr.Newf(pgerr.DatetimeFieldOverflow, "date out of range for timestamp")
	}
	return types.DInt(a.I * usecsPerDay), nil
}

func timestampToDate(_ *Frame, a types.Datum) (types.Datum, error) {
	switch a.I {
	case types.TimestampInfinity:
		return types.DInt(types.DateInfinity), nil
	case types.TimestampNegInfinity:
		return types.DInt(types.DateNegInfinity), nil
	}
	days, _ := types.SplitTimestamp(a.I)
	return types.DInt(int64(days)), nil
}

func timestampToTime(_ *Frame, a types.Datum) (types.Datum, error) {
	if timestampInfinite(a.I) {
		return types.NullDatum, nil
	}
	_, us := types.SplitTimestamp(a.I)
	return types.DInt(us), nil
}

func datePlusInterval(f *Frame, a, b types.Datum) (types.Datum, error) {
	ts, err := dateToTimestamp(f, a)
	if err != nil {
		return ts, err
	}
	return timestampPlus(f, ts, b)
}

func datetimePl(f *Frame, a, b types.Datum) (types.Datum, error) {
	ts, err := dateToTimestamp(f, a)
	if err != nil || timestampInfinite(ts.I) {
		return ts, err
	}
	return timestamp(ts.I + b.I)
}

func datetimetzPl(f *Frame, a, b types.Datum) (types.Datum, error) {
	ts, err := dateToTimestamp(f, a)
	if err != nil || timestampInfinite(ts.I) {
		return ts, err
	}
	v := types.DecodeTimeTZ(b.B)
	return timestamp(ts.I + v.Micros + int64(v.West)*usecsPerSec)
}

// addMonths moves a local time by months, keeping the day within the month.
func addMonths(ts int64, months int32) (int64, error) {
	if months == 0 {
		return ts, nil
	}
	day, us := types.SplitTimestamp(ts)
	y, m, d := types.CivilFromDays(day)
	total := y*12 + m - 1 + int(months)
	y, m = total/12, total%12
	if m < 0 {
		y, m = y-1, m+12
	}
	days := types.DaysFromCivil(y, m+1, min(d, types.DaysInMonth(y, m+1)))
	return microsOfDay(days, us)
}

// microsOfDay is a day's µs since the epoch plus us, in the range of timestamps.
func microsOfDay(days int, us int64) (int64, error) {
	if int64(days) < minTimestamp/usecsPerDay || int64(days) >= endTimestamp/usecsPerDay {
		return 0, errTimestampRange
	}
	return int64(days)*usecsPerDay + us, nil
}

func addDays(ts int64, days int32) (int64, error) {
	if days == 0 {
		return ts, nil
	}
	day, us := types.SplitTimestamp(ts)
	return microsOfDay(day+int(days), us)
}

func addMicros(ts, us int64) (types.Datum, error) {
	sum := ts + us
	if (sum > ts) != (us > 0) && us != 0 {
		return types.Datum{}, errTimestampRange
	}
	return timestamp(sum)
}

func timestampPlus(_ *Frame, a, b types.Datum) (types.Datum, error) {
	if timestampInfinite(a.I) {
		return a, nil
	}
	v := types.DecodeInterval(b.B)
	ts, err := addMonths(a.I, v.Months)
	if err == nil {
		ts, err = addDays(ts, v.Days)
	}
	if err != nil {
		return a, err
	}
	return addMicros(ts, v.Micros)
}

// timestamptzPlus adds months and days to the local time, µs to the instant.
func timestamptzPlus(f *Frame, a, b types.Datum) (types.Datum, error) {
	if timestampInfinite(a.I) {
		return a, nil
	}
	v := types.DecodeInterval(b.B)
	ts, zone := a.I, f.zone()
	if v.Months != 0 {
		local, err := addMonths(types.TimestampFromTZ(zone, ts), v.Months)
		if err != nil {
			return a, err
		}
		ts = localToUTC(local, zone)
	}
	if v.Days != 0 {
		local, err := addDays(types.TimestampFromTZ(zone, ts), v.Days)
		if err != nil {
			return a, err
		}
		ts = localToUTC(local, zone)
	}
	return addMicros(ts, v.Micros)
}

func timestampDiff(f *Frame, a, b types.Datum) (types.Datum, error) {
	if timestampInfinite(a.I) || timestampInfinite(b.I) {
		return a, pgerr.Newf(pgerr.DatetimeFieldOverflow, "cannot subtract infinite timestamps")
	}
	return f.interval(justifyHours(types.IntervalValue{Micros: a.I - b.I})), nil
}

func negate(v types.IntervalValue) (types.IntervalValue, error) {
	if v.Micros == math.MinInt64 || v.Days == math.MinInt32 || v.Months == math.MinInt32 {
		return v, errIntervalRange
	}
	return types.IntervalValue{Micros: -v.Micros, Days: -v.Days, Months: -v.Months}, nil
}

func intervalNeg(f *Frame, a types.Datum) (types.Datum, error) {
	v, err := negate(types.DecodeInterval(a.B))
	if err != nil {
		return a, err
	}
	return f.interval(v), nil
}

func add32(a, b int32) (int32, bool) {
	v := int64(a) + int64(b)
	return int32(v), int64(int32(v)) == v
}

func intervalPlus(f *Frame, a, b types.Datum) (types.Datum, error) {
	v, w := types.DecodeInterval(a.B), types.DecodeInterval(b.B)
	months, ok1 := add32(v.Months, w.Months)
	days, ok2 := add32(v.Days, w.Days)
	us := v.Micros + w.Micros
	if !ok1 || !ok2 || (us > v.Micros) != (w.Micros > 0) && w.Micros != 0 {
		return a, errIntervalRange
	}
	return f.interval(types.IntervalValue{Micros: us, Days: days, Months: months}), nil
}

// tsRound rounds to µs, as PostgreSQL's TSROUND.
func tsRound(x float64) float64 { return math.RoundToEven(x*1e6) / 1e6 }

// scaleInterval multiplies or divides each field and carries the fractions down.
func scaleInterval(f *Frame, v types.IntervalValue, scale func(float64) float64) (types.Datum, error) {
	months, days := scale(float64(v.Months)), scale(float64(v.Days))
	for _, x := range []float64{months, days} {
		if math.IsNaN(x) || x > math.MaxInt32 || x < math.MinInt32 {
			return types.Datum{}, errIntervalRange
		}
	}
	out := types.IntervalValue{Months: int32(months), Days: int32(days)}
	monthDays := tsRound((months - float64(out.Months)) * 30)
	secs := tsRound((days - float64(out.Days) + monthDays - float64(int32(monthDays))) * 86400)
	if math.Abs(secs) >= 86400 {
		out.Days += int32(secs / 86400)
		secs -= float64(int32(secs/86400)) * 86400
	}
	out.Days += int32(monthDays)
	us := math.RoundToEven(scale(float64(v.Micros)) + secs*1e6)
	if math.IsNaN(us) || us < math.MinInt64 || us >= -math.MinInt64 {
		return types.Datum{}, errIntervalRange
	}
	out.Micros = int64(us)
	return f.interval(out), nil
}

func intervalMul(f *Frame, a, b types.Datum) (types.Datum, error) {
	k := b.Float()
	return scaleInterval(f, types.DecodeInterval(a.B), func(x float64) float64 { return x * k })
}

func intervalDiv(f *Frame, a, b types.Datum) (types.Datum, error) {
	k := b.Float()
	if k == 0 {
		return a, errDivZero
	}
	return scaleInterval(f, types.DecodeInterval(a.B), func(x float64) float64 { return x / k })
}

func timePlus(_ *Frame, a, b types.Datum) (types.Datum, error) {
	_, us := types.SplitTimestamp(a.I + types.DecodeInterval(b.B).Micros%usecsPerDay)
	return types.DInt(us), nil
}

func timetzPlus(f *Frame, a, b types.Datum) (types.Datum, error) {
	v := types.DecodeTimeTZ(a.B)
	_, v.Micros = types.SplitTimestamp(v.Micros + types.DecodeInterval(b.B).Micros%usecsPerDay)
	return f.keep(types.AppendTimeTZ(f.out(), v)), nil
}

// justifyHours turns 24 hours into days and makes the signs agree.
func justifyHours(v types.IntervalValue) types.IntervalValue {
	d := v.Micros / usecsPerDay
	v.Micros -= d * usecsPerDay
	v.Days += int32(d)
	if v.Days > 0 && v.Micros < 0 {
		v.Micros += usecsPerDay
		v.Days--
	} else if v.Days < 0 && v.Micros > 0 {
		v.Micros -= usecsPerDay
		v.Days++
	}
	return v
}
