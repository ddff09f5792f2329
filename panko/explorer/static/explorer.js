// SPDX-License-Identifier: Apache-2.0
// Starts what makes the pages more comfortable; each page works without it.
