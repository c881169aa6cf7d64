"""The bounded cache, against a list that does the same slowly."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from flussdvr.caching.lru import Lru

LIMIT = 10
STEPS = st.lists(
    st.tuples(st.sampled_from(["put", "get", "pop"]), st.integers(0, 5), st.integers(0, LIMIT + 2)), max_size=60
)


@given(STEPS)
def test_it_keeps_what_was_used_last(steps: list[tuple[str, int, int]]) -> None:
    cache: Lru[int, str] = Lru(LIMIT)
    model: list[tuple[int, str, int]] = []  # the least recently used first
    for number, (what, key, cost) in enumerate(steps):
        known = next((entry for entry in model if entry[0] == key), None)
        if known is not None:
            model.remove(known)
        if what == "put":
            cache.put(key, f"{number}", cost)
            if cost <= LIMIT:
                model.append((key, f"{number}", cost))
        elif what == "pop":
            cache.pop(key)
        else:
            assert cache.get(key) == (known and known[1])
            if known is not None:
                model.append(known)
        while sum(entry[2] for entry in model) > LIMIT:
            del model[0]
        assert cache.items() == [(key, value) for key, value, _ in model]
        assert cache.cost == sum(entry[2] for entry in model) <= LIMIT and len(cache) == len(model)


def test_what_costs_more_than_the_limit_replaces_nothing_else() -> None:
    cache: Lru[str, int] = Lru(LIMIT)
    cache.put("a", 1, 4)
    cache.put("b", 2, LIMIT + 1)
    assert "b" not in cache and cache.get("a") == 1
    cache.put("a", 3, LIMIT + 1)
    assert "a" not in cache and cache.cost == 0
