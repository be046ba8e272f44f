"""What jest and vitest call the same things, as data for both directions. A name in no table is not translated."""

from __future__ import annotations

SAME = frozenset({
    "fn", "spyOn", "mock", "unmock", "doMock", "mocked", "isMockFunction", "clearAllMocks", "resetAllMocks",
    "restoreAllMocks", "resetModules", "useFakeTimers", "useRealTimers", "runAllTimers", "runAllTimersAsync",
    "runOnlyPendingTimers", "runOnlyPendingTimersAsync", "advanceTimersByTime", "advanceTimersByTimeAsync",
    "advanceTimersToNextTimer", "advanceTimersToNextTimerAsync", "advanceTimersToNextFrame", "clearAllTimers",
    "getTimerCount", "setSystemTime", "getRealSystemTime",
})  # fmt: skip
"""Members of ``jest`` and of ``vi`` that mean the same."""

OTHER_NAME = {"dontMock": "doUnmock"}
"""jest's name: vi's name."""

ACTUAL = {"requireActual": "importActual", "requireMock": "importMock", "createMockFromModule": "importMock"}
"""jest answers at once, vi with a promise: the code around must be able to wait."""

CHAINED = frozenset({
    "useFakeTimers", "useRealTimers", "clearAllMocks", "resetAllMocks", "restoreAllMocks", "resetModules", "mock",
    "unmock", "doMock", "setSystemTime",
})  # fmt: skip
"""Members that answer with ``jest`` or ``vi`` itself, to be called in a chain."""

GLOBALS = ("afterAll", "afterEach", "beforeAll", "beforeEach", "describe", "expect", "it", "test")
"""What jest has everywhere and vitest gives to who imports it."""

HOOKS = frozenset({"afterAll", "afterEach", "beforeAll", "beforeEach"})
TESTS = frozenset({"it", "test"})

SHORT = {
    "xit": "it.skip", "xtest": "test.skip", "xdescribe": "describe.skip", "fit": "it.only",
    "fdescribe": "describe.only",
}  # fmt: skip
"""jest's short names: what vitest has for them."""

MODIFIERS = frozenset({"only", "skip", "each", "todo", "concurrent"})
"""What both put behind describe, it and test."""

FAILING = {"failing": "fails"}

MATCHER_ALIASES = {
    "toBeCalled": "toHaveBeenCalled",
    "toBeCalledTimes": "toHaveBeenCalledTimes",
    "toBeCalledWith": "toHaveBeenCalledWith",
    "lastCalledWith": "toHaveBeenLastCalledWith",
    "nthCalledWith": "toHaveBeenNthCalledWith",
    "toReturn": "toHaveReturned",
    "toReturnTimes": "toHaveReturnedTimes",
    "toReturnWith": "toHaveReturnedWith",
    "lastReturnedWith": "toHaveLastReturnedWith",
    "nthReturnedWith": "toHaveNthReturnedWith",
    "toThrowError": "toThrow",
}
"""Names that jest 30 took away, and their heirs, which both have."""

VITEST_MATCHERS = frozenset({
    "toSatisfy", "toBeOneOf", "toHaveBeenCalledBefore", "toHaveBeenCalledAfter", "toHaveBeenCalledExactlyOnceWith",
    "toHaveResolved", "toHaveResolvedTimes", "toHaveResolvedWith", "toHaveLastResolvedWith", "toHaveNthResolvedWith",
    "toBeTypeOf", "toMatchFileSnapshot", "toBeNullable", "toBeTestSubject",
})  # fmt: skip
VITEST_EXPECT = frozenset({"soft", "poll", "unreachable", "schemaMatching"})
"""Matchers, and members of expect, that jest does not have."""

TYPES = {
    "Mock": "Mock",
    "Mocked": "Mocked",
    "MockedFunction": "MockedFunction",
    "MockedClass": "MockedClass",
    "MockedObject": "MockedObject",
    "SpyInstance": "MockInstance",
}
"""jest's types: vitest's."""

WITH_ARGUMENTS = frozenset({"Mocked", "MockedFunction", "MockedClass", "MockedObject"})
"""Types whose arguments mean the same in both."""

NOTES = {
    "mockReset": "mockReset: jest's leaves a mock without implementation, vitest's brings the original back",
    "resetAllMocks": "resetAllMocks: jest's leaves mocks without implementation, vitest's brings the originals back",
    "restoreAllMocks": "restoreAllMocks: what it does to mocks that are no spies differs by version of both",
    "useFakeTimers": "useFakeTimers: jest also fakes nextTick and queueMicrotask, vitest does not",
    "toMatchSnapshot": "snapshots are named otherwise: record them again",
    "toThrowErrorMatchingSnapshot": "snapshots are named otherwise: record them again",
    "getMockName": "getMockName: the name of a mock without one differs",
}
"""What is the same word and not quite the same thing."""
