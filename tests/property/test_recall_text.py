"""Any text at all: analysis, passages, packed terms and quantised vectors keep what they promise."""

from __future__ import annotations

import zlib

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from engrain.recall.analyze import _tokens, analyze, spans, terms
from engrain.recall.embed import HashEmbedder, StaticEmbedder, packaged
from engrain.recall.index import WHOLE, WINDOW, index, pack, quantize, split, unpack

TEXT = st.text(max_size=300)
WORDS = st.lists(
    st.sampled_from(["upload", "E-404", "naïve", "snake_case", "東京", "1,000", "don't", "x.y/z", "—"]), max_size=900
)


def blob_of(terms: list[int]) -> bytes:
    return np.array(terms, "<u4").tobytes()


@given(TEXT)
def test_every_text_is_analysed_and_twice_the_same(text: str) -> None:
    found = analyze(text)
    assert all(0 <= term < 1 << 32 for term in found)
    assert analyze(text) == found


@settings(max_examples=300)
@given(st.one_of(TEXT, WORDS.map(" ".join), st.text(alphabet=" \t\n\x1c\x85\u2003\u00a8\u0301a1,.'-_B", max_size=60)))
def test_a_text_cut_at_its_spaces_has_the_terms_of_the_whole(text: str) -> None:
    whole = [zlib.crc32(term.encode("utf-8", "surrogatepass")) for token in _tokens(text) for term in terms(token)]
    assert analyze(text) == whole


@given(st.text(alphabet=st.characters(codec="ascii"), max_size=80))
def test_case_does_not_matter_to_the_words_of_a_text_in_one_case(text: str) -> None:
    assert set(analyze(text.lower())) == set(analyze(text.lower().upper().lower()))


@given(st.lists(st.lists(st.integers(0, (1 << 32) - 1), max_size=40), max_size=8))
def test_packed_terms_come_back(texts: list[list[int]]) -> None:
    for (blob, length), told in zip(pack([blob_of(one) for one in texts]), texts, strict=True):
        hashes, counts, sizes = unpack([blob])
        assert sizes.tolist() == [len(set(told))]
        assert dict(zip(hashes.tolist(), counts.tolist(), strict=True)) == {t: told.count(t) for t in told}
        assert np.all(np.diff(hashes.astype(np.int64)) > 0)
        assert length == len(told)
    blobs = [blob_of(one) for one in texts]
    assert pack(blobs) == [pack([one])[0] for one in blobs], "many at once are packed like one"
    together = unpack([blob for blob, _ in pack(blobs)])
    assert together[2].tolist() == [len(set(terms)) for terms in texts]


def test_more_of_a_term_than_a_count_can_say_is_the_most_it_can() -> None:
    many = blob_of([7] * 70_000)
    assert pack([many])[0] == pack([many, b"", b"", b"", b""])[0] == (b"\x07\0\0\0\xff\xff", 70_000)


@given(WORDS)
def test_passages_cover_every_word_and_none_is_too_long(words: list[str]) -> None:
    text = " ".join(words)
    parts = split(text)
    assert set(analyze(text)) == {term for part in parts for term in analyze(part)}
    assert parts == [text] or all(len(spans(part)) <= WINDOW for part in parts)
    assert (len(parts) == 1) == (len(spans(text)) <= WHOLE)


@settings(max_examples=30)
@given(st.lists(TEXT, max_size=6))
def test_an_index_has_one_list_a_text_and_unit_vectors_to_within_half_a_step(texts: list[str]) -> None:
    for embedder in (packaged(), HashEmbedder()):
        for passages, vector in zip(index(texts, embedder), embedder.embed(texts), strict=True):
            assert [passage.number for passage in passages] == list(range(len(passages)))
            first = passages[0]
            assert (first.vector is None) == (not vector.any())
            if first.vector is not None and first.scale is not None:
                near = np.frombuffer(first.vector, np.int8) * np.float32(first.scale)
                assert np.abs(near - vector).max() <= first.scale * 0.5001


@given(st.integers(1, 5), st.integers(1, 300))
def test_quantised_rows_use_the_whole_range(rows: int, dim: int) -> None:
    vectors = np.random.default_rng(rows * dim).normal(size=(rows, dim)).astype(np.float32)
    whole, scale = quantize(vectors)
    assert np.all(np.abs(whole).max(axis=1) == 127)
    assert np.abs(whole * scale[:, None] - vectors).max() <= scale.max() * 0.5001


@given(TEXT)
def test_the_short_way_through_the_tokenizer_is_the_long_one(text: str) -> None:
    embedder = packaged()
    assert isinstance(embedder, StaticEmbedder)
    embedder.embed(["load"])
    model = embedder._model()
    long = [p for p in model.tokenizer.encode(text, add_special_tokens=False).ids[: model.most] if p != model.unknown]
    assert model.ids(text) == long
