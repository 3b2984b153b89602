package wire

import (
	"bellcrank.example/sdk"
	"bellcrank.example/sdk/internal/wire/adapterv1"
)

func fromAction(a sdk.Action) adapterv1.Action {
	switch a {
	case sdk.Trigger:
		return adapterv1.Action_ACTION_TRIGGER
	case sdk.Acknowledge:
		return adapterv1.Action_ACTION_ACKNOWLEDGE
	case sdk.Resolve:
		return adapterv1.Action_ACTION_RESOLVE
	}
	return adapterv1.Action_ACTION_UNSPECIFIED
}

// toAction returns the empty action for what it doesn't know.
func toAction(a adapterv1.Action) sdk.Action {
	switch a {
	case adapterv1.Action_ACTION_TRIGGER:
		return sdk.Trigger
	case adapterv1.Action_ACTION_ACKNOWLEDGE:
		return sdk.Acknowledge
	case adapterv1.Action_ACTION_RESOLVE:
		return sdk.Resolve
	}
	return ""
}

func fromSeverity(s sdk.Severity) adapterv1.Severity {
	switch s {
	case sdk.Critical:
		return adapterv1.Severity_SEVERITY_CRITICAL
	case sdk.High:
		return adapterv1.Severity_SEVERITY_HIGH
	case sdk.Medium:
		return adapterv1.Severity_SEVERITY_MEDIUM
	case sdk.Low:
		return adapterv1.Severity_SEVERITY_LOW
	case sdk.PreEmptive:
		return adapterv1.Severity_SEVERITY_PRE_EMPTIVE
	}
	return adapterv1.Severity_SEVERITY_UNSPECIFIED
}

// toSeverity returns the empty severity for what it doesn't know: the operator
// decides then.
func toSeverity(s adapterv1.Severity) sdk.Severity {
	switch s {
	case adapterv1.Severity_SEVERITY_CRITICAL:
		return sdk.Critical
	case adapterv1.Severity_SEVERITY_HIGH:
		return sdk.High
	case adapterv1.Severity_SEVERITY_MEDIUM:
		return sdk.Medium
	case adapterv1.Severity_SEVERITY_LOW:
		return sdk.Low
	case adapterv1.Severity_SEVERITY_PRE_EMPTIVE:
		return sdk.PreEmptive
	}
	return ""
}

func fromCode(c sdk.FailureCode) adapterv1.FailureCode {
	switch c {
	case sdk.Malformed:
		return adapterv1.FailureCode_FAILURE_CODE_MALFORMED
	case sdk.Unsupported:
		return adapterv1.FailureCode_FAILURE_CODE_UNSUPPORTED
	case sdk.TooLarge:
		return adapterv1.FailureCode_FAILURE_CODE_TOO_LARGE
	case sdk.Busy:
		return adapterv1.FailureCode_FAILURE_CODE_BUSY
	}
	return adapterv1.FailureCode_FAILURE_CODE_INTERNAL
}

// toCode returns Internal for what it doesn't know.
func toCode(c adapterv1.FailureCode) sdk.FailureCode {
	switch c {
	case adapterv1.FailureCode_FAILURE_CODE_MALFORMED:
		return sdk.Malformed
	case adapterv1.FailureCode_FAILURE_CODE_UNSUPPORTED:
		return sdk.Unsupported
	case adapterv1.FailureCode_FAILURE_CODE_TOO_LARGE:
		return sdk.TooLarge
	case adapterv1.FailureCode_FAILURE_CODE_BUSY:
		return sdk.Busy
	}
	return sdk.Internal
}
