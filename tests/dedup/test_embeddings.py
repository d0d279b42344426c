"""The encoder against sentence-transformers, and the search against all products in float32."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from star1.dedup import embeddings, encoder
from star1.errors import UserError
from tests.dedup import rival

TEXTS = [
    "How do I bake bread?",
    "how do i bake a bread",
    "",
    "Tea",
    "Wie backe ich Brot? 面包怎么烤",
    "Why does my sourdough not rise in a cold kitchen, and what can I do about it before the guests come? " * 20,
    *(f"Name {number} ways to make tea for {number * 7} guests." for number in range(40)),
]


def test_encode_is_sentence_transformers_in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    sentence_transformers = pytest.importorskip("sentence_transformers")
    ours = encoder.encode(TEXTS, encoder.PACKAGED_MODEL)
    folder = str(encoder.model_folder(encoder.PACKAGED_MODEL))
    theirs = sentence_transformers.SentenceTransformer(folder, device="cpu").encode(TEXTS)
    assert ours.dtype == np.float32
    np.testing.assert_allclose(ours, theirs, atol=1e-6)
    np.testing.assert_allclose(ours @ ours.T, theirs @ theirs.T, atol=2e-6)

    before = torch.get_num_threads()
    torch.set_num_threads(1 if before > 1 else 2)
    try:
        assert encoder.encode(TEXTS, folder).tobytes() == ours.tobytes()
    finally:
        torch.set_num_threads(before)


def test_a_folder_that_does_not_fit_is_the_users_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no sentence-transformers folder"):
        encoder.model_folder(str(tmp_path / "absent"))
    (tmp_path / "1_Pooling").mkdir()
    (tmp_path / "1_Pooling" / "config.json").write_text(json.dumps({"pooling_mode_cls_token": True}))
    with pytest.raises(UserError, match="mean"):
        encoder.model_folder(str(tmp_path))


MODULES = [{"type": f"sentence_transformers.models.{name}"} for name in ("Transformer", "Pooling", "Dense")]
MEAN_AND_MORE = {"pooling_mode_mean_tokens": True, "pooling_mode_max_tokens": True, "pooling_mode_cls_token": False}


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("1_Pooling/config.json", "{", "1_Pooling/config.json is no JSON mapping"),
        ("1_Pooling/config.json", "[]", "1_Pooling/config.json is no JSON mapping"),
        ("1_Pooling/config.json", json.dumps(MEAN_AND_MORE), "does not pool by the mean of its tokens"),
        ("modules.json", json.dumps(MODULES), "it has a step Dense, which is not computed here"),
        ("sentence_bert_config.json", None, "sentence_bert_config.json is no JSON mapping"),
        ("sentence_bert_config.json", "{}", "sentence_bert_config.json does not say max_seq_length"),
        ("config.json", None, "no whole model"),
        ("config.json", "{", "no whole model"),
        ("tokenizer.json", "{", "no whole model"),
        ("tokenizer.json", None, "no tokenizer"),
        ("model.safetensors", None, "no whole model"),
        ("model.safetensors", "cut off", "no whole model"),
    ],
)
def test_a_folder_that_is_not_whole_is_told(tmp_path: Path, name: str, content: str | None, says: str) -> None:
    model = encoder.model_folder(encoder.PACKAGED_MODEL)
    folder = tmp_path / "model"
    (folder / "1_Pooling").mkdir(parents=True)
    for file in ("1_Pooling/config.json", "modules.json", "sentence_bert_config.json", "config.json", "tokenizer.json"):
        (folder / file).write_bytes((model / file).read_bytes())
    (folder / "model.safetensors").symlink_to(model / "model.safetensors")
    (folder / name).unlink()
    if content is not None:
        (folder / name).write_text(content)
    with pytest.raises(UserError, match=rf"\Aembedding model {folder}: [^\n]*{says}[^\n]*\Z"):
        encoder.encode(["How?"], str(folder))


def clustered(rows: int, seed: int) -> np.ndarray:
    """Unit vectors whose cosines crowd around 0.7, with copies."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(max(rows // 6, 1), 16))
    vectors = centres[rng.integers(len(centres), size=rows)] + 0.65 * rng.normal(size=(rows, 16))
    vectors[rng.random(rows) < 0.1] = vectors[:1]
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


@settings(max_examples=40)
@given(st.integers(0, 700), st.integers(0, 40), st.integers(0, 2**32 - 1))
def test_search_finds_what_all_products_find(rows: int, others: int, seed: int) -> None:
    with pytest.MonkeyPatch.context() as patch:  # many blocks and tiles even for few rows
        patch.setattr(embeddings, "BLOCK_ROWS", 128)
        patch.setattr(embeddings, "TILE_ROWS", 256)
        vectors, against = clustered(rows, seed), clustered(others, seed)
        threshold = np.float32(0.7)
        assert_same(embeddings.self_matches(vectors, 0.7), rival.first_wins(vectors @ vectors.T, threshold))
        expected = [rival.most_similar(vector @ against.T, range(others), threshold) for vector in vectors]
        assert_same(embeddings.matches(vectors, against, 0.7), expected)


@pytest.mark.parametrize("threshold", [1e-9, 0.004, 0.01, 0.0101, 0.05, 1.0])
@pytest.mark.parametrize("rows", [1, 127, 128, 300])
def test_search_finds_it_for_any_threshold(monkeypatch: pytest.MonkeyPatch, threshold: float, rows: int) -> None:
    monkeypatch.setattr(embeddings, "BLOCK_ROWS", 128)
    monkeypatch.setattr(embeddings, "TILE_ROWS", 256)
    # In 64 dimensions half of all cosines are negative, many of them nearly 0; whole numbers make the sums exact.
    vectors = np.random.default_rng(rows).integers(-1, 2, size=(rows + 40, 64)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors, against = vectors[:rows], vectors[rows:]
    products = (vectors.astype(np.float64) @ vectors.T.astype(np.float64)).astype(np.float32)
    assert_same(embeddings.self_matches(vectors, threshold), rival.first_wins(products, np.float32(threshold)))
    products = (vectors.astype(np.float64) @ against.T.astype(np.float64)).astype(np.float32)
    expected = [rival.most_similar(row, range(len(against)), np.float32(threshold)) for row in products]
    assert_same(embeddings.matches(vectors, against, threshold), expected)


def test_equal_vectors_are_alike_at_a_threshold_of_1() -> None:
    """The cosine of a float32 unit vector with itself is often 1 - 6e-8."""
    vectors = clustered(200, 3)
    found, _ = embeddings.self_matches(np.concatenate([vectors, vectors]), 1.0)
    assert (found[200:] >= 0).all()
    assert (embeddings.matches(vectors, vectors, 1.0)[0] >= 0).all()
    other = vectors * np.linspace(1, 1.02, 16, dtype=np.float32)  # cosines of 0.9999 and more
    other /= np.linalg.norm(other, axis=1, keepdims=True)
    assert (embeddings.matches(vectors, other, 1.0)[0] < 0).all()


def assert_same(result: tuple[np.ndarray, np.ndarray], expected: list[rival.Match | None]) -> None:
    found, cosines = result
    assert (found >= 0).tolist() == [match is not None for match in expected]
    np.testing.assert_allclose(cosines, [match[1] if match else 0.0 for match in expected], atol=1e-6)


def test_a_cosine_of_the_threshold_is_enough() -> None:
    vectors = np.array([[1, 0], [0.8, 0.6], [0.6, 0.8], [0, 1]], dtype=np.float32)
    found, cosines = embeddings.self_matches(vectors, 0.8)
    assert found.tolist() == [-1, 0, -1, 2]
    assert cosines[1] == np.float32(0.8)
