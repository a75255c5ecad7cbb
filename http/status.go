package http

// Statuses that handlers return, named as in nginx.
const (
	StatusContinue             Verdict = 100
	StatusSwitchingProtocols   Verdict = 101
	StatusProcessing           Verdict = 102
	StatusEarlyHints           Verdict = 103
	StatusOK                   Verdict = 200
	StatusCreated              Verdict = 201
	StatusAccepted             Verdict = 202
	StatusNoContent            Verdict = 204
	StatusPartialContent       Verdict = 206
	StatusSpecialResponse      Verdict = 300
	StatusMovedPermanently     Verdict = 301
	StatusMovedTemporarily     Verdict = 302
	StatusSeeOther             Verdict = 303
	StatusNotModified          Verdict = 304
	StatusTemporaryRedirect    Verdict = 307
	StatusPermanentRedirect    Verdict = 308
	StatusBadRequest           Verdict = 400
	StatusUnauthorized         Verdict = 401
	StatusForbidden            Verdict = 403
	StatusNotFound             Verdict = 404
	StatusNotAllowed           Verdict = 405
	StatusProxyAuthRequired    Verdict = 407
	StatusRequestTimeOut       Verdict = 408
	StatusConflict             Verdict = 409
	StatusLengthRequired       Verdict = 411
	StatusPreconditionFailed   Verdict = 412
	StatusEntityTooLarge       Verdict = 413
	StatusURITooLarge          Verdict = 414
	StatusUnsupportedMediaType Verdict = 415
	StatusRangeNotSatisfiable  Verdict = 416
	StatusMisdirectedRequest   Verdict = 421
	StatusTooManyRequests      Verdict = 429
	StatusInternalServerError  Verdict = 500
	StatusNotImplemented       Verdict = 501
	StatusBadGateway           Verdict = 502
	StatusServiceUnavailable   Verdict = 503
	StatusGatewayTimeOut       Verdict = 504
	StatusVersionNotSupported  Verdict = 505
	StatusInsufficientStorage  Verdict = 507
)
