package ssi

import (
	"fmt"
	"strconv"
	"time"

	"moongate/http"
)

// getDate is $date_local and $date_gmt, in the format of the page.
func getDate(r *http.Request, gmt any) http.Value {
	format := defaultTimeFormat
	if x := key.Of(r); x != nil && !x.only {
		format = x.timeFormat
	}
	now := r.Loop().Now()
	if format == "%s" {
		return http.Val(r.Pool.Int(now.Unix()))
	}
	zone := "GMT"
	if gmt.(bool) {
		now = now.UTC()
	} else {
		now = now.Local()
		zone, _ = now.Zone()
	}
	s := r.Pool.String(appendTime(nil, format, now, zone))
	return http.Value{S: s, Found: s != ""}
}

// layouts are the conversions of strftime(3) in the C locale that package time
// can make.
var layouts = map[byte]string{
	'a': "Mon", 'A': "Monday", 'b': "Jan", 'B': "January", 'c': "Mon Jan _2 15:04:05 2006", 'd': "02",
	'D': "01/02/06", 'e': "_2", 'F': "2006-01-02", 'h': "Jan", 'H': "15", 'I': "03", 'j': "002", 'm': "01", 'M': "04",
	'p': "PM", 'P': "pm", 'r': "03:04:05 PM", 'R': "15:04", 'S': "05", 'T': "15:04:05", 'x': "01/02/06", 'X': "15:04:05",
	'y': "06", 'Y': "2006", 'z': "-0700",
}

// appendTime is strftime(3).
func appendTime(b []byte, format string, t time.Time, zone string) []byte {
	for i := 0; i < len(format); i++ {
		if format[i] != '%' || i+1 == len(format) {
			b = append(b, format[i])
			continue
		}
		i++
		c := format[i]
		if (c == 'E' || c == 'O') && i+1 < len(format) {
			i++
			c = format[i]
		}
		if layout, ok := layouts[c]; ok {
			b = t.AppendFormat(b, layout)
			continue
		}
		b = appendNumber(b, c, t, zone)
	}
	return b
}

// appendNumber makes the conversions that have no layout.
func appendNumber(b []byte, c byte, t time.Time, zone string) []byte {
	year, week := t.ISOWeek()
	day, weekday := t.YearDay()-1, int(t.Weekday())
	switch c {
	case 'C':
		return fmt.Appendf(b, "%02d", t.Year()/100)
	case 'g':
		return fmt.Appendf(b, "%02d", year%100)
	case 'G':
		return strconv.AppendInt(b, int64(year), 10)
	case 'k':
		return fmt.Appendf(b, "%2d", t.Hour())
	case 'l':
		return fmt.Appendf(b, "%2d", (t.Hour()+11)%12+1)
	case 'n':
		return append(b, '\n')
	case 's':
		return strconv.AppendInt(b, t.Unix(), 10)
	case 't':
		return append(b, '\t')
	case 'u':
		return strconv.AppendInt(b, int64((weekday+6)%7+1), 10)
	case 'U':
		return fmt.Appendf(b, "%02d", (day+7-weekday)/7)
	case 'V':
		return fmt.Appendf(b, "%02d", week)
	case 'w':
		return strconv.AppendInt(b, int64(weekday), 10)
	case 'W':
		return fmt.Appendf(b, "%02d", (day+7-(weekday+6)%7)/7)
	case 'Z':
		return append(b, zone...)
	case '%':
		return append(b, '%')
	}
	return append(b, '%', c)
}
