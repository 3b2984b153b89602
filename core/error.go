package core

// Code is a published reason for a refusal or a failure.
type Code string

// The codes. Senders and API clients see them; they never change meaning.
const (
	RouteNotFound       Code = "ROUTE_NOT_FOUND"
	IntegrationDisabled Code = "INTEGRATION_DISABLED"
	IPNotAllowed        Code = "IP_NOT_ALLOWED"
	SignatureInvalid    Code = "SIGNATURE_INVALID"
	SignatureExpired    Code = "SIGNATURE_EXPIRED"
	InvalidJSON         Code = "INVALID_JSON"
	ValidationFailed    Code = "VALIDATION_FAILED"
	IncompleteBody      Code = "INCOMPLETE_BODY"
	PayloadTooLarge     Code = "PAYLOAD_TOO_LARGE"
	UnsupportedEncoding Code = "UNSUPPORTED_ENCODING"
	HeadersTooLarge     Code = "HEADERS_TOO_LARGE"
	RequestTimeout      Code = "REQUEST_TIMEOUT"
	MethodNotAllowed    Code = "METHOD_NOT_ALLOWED"
	NotFound            Code = "NOT_FOUND"
	RateLimited         Code = "RATE_LIMITED"
	Overloaded          Code = "OVERLOADED"
	StoreUnavailable    Code = "STORE_UNAVAILABLE"
	Internal            Code = "INTERNAL"

	Unauthenticated Code = "UNAUTHENTICATED"
	Forbidden       Code = "FORBIDDEN"
	Conflict        Code = "CONFLICT"
	BadRequest      Code = "BAD_REQUEST"

	AdapterRejected    Code = "ADAPTER_REJECTED"    // the adapter can't read the request
	AdapterUnavailable Code = "ADAPTER_UNAVAILABLE" // no adapter answered for too long
	AdapterFailed      Code = "ADAPTER_FAILED"      // it timed out, crashed or broke its contract too often
	SignaturePending   Code = "SIGNATURE_PENDING"   // the signature can't be judged yet
	ConfirmationFailed Code = "CONFIRMATION_FAILED" // the URL that completes a subscription can't be fetched
)

// Error is a failure with a code. Message is safe to show to a stranger; Err,
// the cause, is for the log.
type Error struct {
	Code    Code
	Message string
	Field   string // the offending member of a body, may be empty
	Err     error
}

// Error makes *Error an error.
func (e *Error) Error() string {
	s := string(e.Code) + ": " + e.Message
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }
