// Package strftime formats times as C's strftime does in the C locale, for formats that nginx or LuaJIT hands to the
// C library.
package strftime

import (
	"strconv"
	"time"
)

// composites are the conversions that stand for others.
var composites = map[byte]string{
	'c': "%a %b %e %H:%M:%S %Y",
	'D': "%m/%d/%y",
	'F': "%Y-%m-%d",
	'h': "%b",
	'n': "\n",
	'r': "%I:%M:%S %p",
	'R': "%H:%M",
	't': "\t",
	'T': "%H:%M:%S",
	'x': "%m/%d/%y",
	'X': "%H:%M:%S",
	'%': "%",
}

// words are the conversions that Go's layouts can say.
var words = map[byte]string{
	'a': "Mon",
	'A': "Monday",
	'b': "Jan",
	'B': "January",
	'p': "PM",
	'P': "pm",
	'z': "-0700",
	'Z': "MST",
}

// Append appends t in the form that format describes. A conversion that is not known stands for itself; the
// modifiers E and O, which say nothing in the C locale, are skipped. The zone of a time in UTC is GMT, as with C's
// gmtime.
func Append(b []byte, format string, t time.Time) []byte {
	for i := 0; i < len(format); i++ {
		c := format[i]
		if c != '%' || i+1 == len(format) {
			b = append(b, c)
			continue
		}
		start := i
		i++
		if c = format[i]; (c == 'E' || c == 'O') && i+1 < len(format) {
			i++
			c = format[i]
		}
		n := number(c, t)
		switch inner, layout := composites[c], words[c]; {
		case c == '%' || c == 'n' || c == 't':
			b = append(b, inner...)
		case c == 'Z' && t.Location() == time.UTC:
			b = append(b, "GMT"...)
		case inner != "":
			b = Append(b, inner, t)
		case layout != "":
			b = t.AppendFormat(b, layout)
		case c == 's':
			b = strconv.AppendInt(b, t.Unix(), 10)
		case n.width > 0:
			b = appendPadded(b, n)
		default:
			b = append(b, format[start:i+1]...)
		}
	}
	return b
}

// padded is a number and how it is written.
type padded struct {
	value, width int
	blank        bool // padded with blanks instead of zeros
}

// number returns what a numeric conversion prints; its width is 0 for other conversions.
func number(c byte, t time.Time) padded {
	zeros := func(value, width int) padded { return padded{value, width, false} }
	year, week := t.ISOWeek()
	switch c {
	case 'C':
		return zeros(t.Year()/100, 2)
	case 'd':
		return zeros(t.Day(), 2)
	case 'e':
		return padded{t.Day(), 2, true}
	case 'g':
		return zeros(year%100, 2)
	case 'G':
		return zeros(year, 1)
	case 'H':
		return zeros(t.Hour(), 2)
	case 'I':
		return zeros((t.Hour()+11)%12+1, 2)
	case 'j':
		return zeros(t.YearDay(), 3)
	case 'k':
		return padded{t.Hour(), 2, true}
	case 'l':
		return padded{(t.Hour()+11)%12 + 1, 2, true}
	case 'm':
		return zeros(int(t.Month()), 2)
	case 'M':
		return zeros(t.Minute(), 2)
	case 'S':
		return zeros(t.Second(), 2)
	case 'u':
		return zeros((int(t.Weekday())+6)%7+1, 1)
	case 'U':
		return zeros((t.YearDay()+6-int(t.Weekday()))/7, 2)
	case 'V':
		return zeros(week, 2)
	case 'w':
		return zeros(int(t.Weekday()), 1)
	case 'W':
		return zeros((t.YearDay()+6-(int(t.Weekday())+6)%7)/7, 2)
	case 'y':
		return zeros(t.Year()%100, 2)
	case 'Y':
		return zeros(t.Year(), 1)
	}
	return padded{}
}

func appendPadded(b []byte, n padded) []byte {
	pad := byte('0')
	if n.blank {
		pad = ' '
	}
	for width, limit := n.width, 10; width > 1; width, limit = width-1, limit*10 {
		if n.value < limit {
			for range width - 1 {
				b = append(b, pad)
			}
			break
		}
	}
	return strconv.AppendInt(b, int64(n.value), 10)
}
