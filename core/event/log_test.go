package event

import "fmt"

func logLine(level int, err error, format string, args ...any) string {
	line := fmt.Sprintf("[%d] ", level) + fmt.Sprintf(format, args...)
	if err != nil {
		line += fmt.Sprintf(" (%v)", err)
	}
	return line
}
