// SPDX-License-Identifier: MIT

package flux

// Proxy is tested by itself: a far host wants ssh.
var Proxy = proxy
