package gatewaytest

import "testing"

func TestNoAddressIsGivenTwice(t *testing.T) {
	given := map[string]bool{}
	for range 500 {
		address := FreeAddress(t)
		if given[address] {
			t.Fatalf("%s is given twice", address)
		}
		given[address] = true
	}
}
