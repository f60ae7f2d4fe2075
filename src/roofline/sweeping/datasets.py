"""Labelled datasets of one value: Zarr and NetCDF, an axis per option."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from roofline.errors import RooflineError
from roofline.sweeping.cube import Chunk, Cube, Part
from roofline.sweeping.parts import Parts

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Zarr:
    """A Zarr group (format 2, consolidated), a file per chunk, written in its place as it comes."""

    def __init__(self, cube: Cube, parts: Parts) -> None:
        """Open the group, made with its coordinates where it is not there yet."""
        self.folder = parts.folder / "zarr"
        if (self.folder / ".zmetadata").exists():
            # A chunk that was being written has left a file under a passing name.
            for path in self.folder.rglob("*.partial"):
                path.unlink()
        else:
            parts.forget()
            shutil.rmtree(self.folder, ignore_errors=True)
            _make_zarr(cube, self.folder)
        import zarr

        self.cube, self.array = cube, zarr.open_group(str(self.folder), mode="r+", zarr_format=2)[cube.value]

    @staticmethod
    def ready() -> None:
        """Refuse at once what cannot be written at the end."""
        _needed(".zarr", "xarray", "zarr", "numcodecs")

    def encode(self, chunk: Chunk, found: Part) -> Iterable[bytes | memoryview]:
        """Write a chunk; nothing of it is left for later."""
        self.array[self.cube.index(chunk)] = found
        return ()

    def assemble(self) -> Path:
        """Return the folder, which is whole."""
        return self.folder


class NetCDF:
    """A NetCDF-4 file, written in one go when every chunk is there: HDF5 does not survive a kill."""

    def __init__(self, cube: Cube, parts: Parts) -> None:
        """Remember what is written."""
        self.cube, self.parts = cube, parts

    @staticmethod
    def ready() -> None:
        """Refuse at once what cannot be written at the end."""
        _needed(".nc", "h5netcdf", "h5py")

    def encode(self, chunk: Chunk, found: Part) -> Iterable[bytes | memoryview]:
        """Return the values as they lie in memory."""
        assert not isinstance(found, list)
        return (found.data.cast("B"),)

    def assemble(self) -> Path:
        """Write the file."""
        import h5netcdf
        import h5py

        cube, path = self.cube, self.parts.folder / "whole.nc"
        with h5netcdf.File(path, "w", track_order=False) as file:
            file.dimensions = dict(zip(cube.dims, cube.shape, strict=True))
            for name, labels, attributes in _coordinates(cube):
                text = labels.dtype == object
                variable = file.create_variable(name, (name,), h5py.string_dtype() if text else labels.dtype)
                variable[...] = labels
                variable.attrs.update(attributes)
            variable = file.create_variable(
                cube.value,
                cube.dims,
                np.float32,
                chunks=_chunk_shape(cube),
                compression="gzip",
                compression_opts=1,
                shuffle=True,
                fillvalue=np.float32("nan"),
            )
            variable.attrs["units"] = cube.units[str(cube.value)]
            for number, chunk in enumerate(cube.chunks()):
                values = np.frombuffer(self.parts.read(number), dtype=np.float32)
                variable[cube.index(chunk)] = values.reshape(-1, len(cube.lengths))
            file.attrs.update(_attributes(cube))
        return path


def in_memory(cube: Cube) -> Any:
    """Return a sweep as an xarray Dataset.

    Raises
    ------
    RooflineError
        If xarray is missing.
    """
    _needed("xarray", "xarray")
    import xarray

    cube.check()
    values = np.empty(cube.shape, dtype=np.float32)
    for chunk in cube.chunks():
        found = cube.compute(chunk)
        assert not isinstance(found, list)
        values[cube.index(chunk)] = found
    data = {cube.value: (cube.dims, values, {"units": cube.units[str(cube.value)]})}
    return xarray.Dataset(data, coords=_labelled(cube), attrs=_attributes(cube))


def _needed(what: str, *modules: str) -> None:
    import importlib

    try:
        for module in modules:
            importlib.import_module(module)
    except ImportError:
        raise RooflineError(f"{what} datasets need more packages: pip install 'roofline[datasets]'") from None


def _attributes(cube: Cube) -> dict[str, str]:
    return {"title": f"roofline sweep, {cube.phase}", "settings": json.dumps(dict(cube.attributes), sort_keys=True)}


def _coordinates(cube: Cube) -> Iterator[tuple[str, NDArray[Any], dict[str, str]]]:
    for name, values in cube.coordinates.items():
        text = any(isinstance(value, str) for value in values)
        labels = np.array(list(map(str, values)), dtype=object) if text else np.asarray(values)
        yield name, labels, {"units": cube.units[name]} if name in cube.units else {}


def _labelled(cube: Cube) -> dict[str, tuple[str, NDArray[Any], dict[str, str]]]:
    return {name: (name, labels, attributes) for name, labels, attributes in _coordinates(cube)}


def _chunk_shape(cube: Cube) -> tuple[int, ...]:
    return (*(1 for _ in cube.outer), cube.rows, len(cube.lengths))


def _make_zarr(cube: Cube, folder: Path) -> None:
    import warnings

    import numcodecs
    import xarray
    import zarr

    frame = xarray.Dataset(coords=_labelled(cube), attrs=_attributes(cube))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        frame.to_zarr(str(folder), mode="w", zarr_format=2, consolidated=False)
        array = zarr.open_group(str(folder), mode="r+", zarr_format=2).create_array(
            str(cube.value),
            shape=cube.shape,
            chunks=_chunk_shape(cube),
            dtype="float32",
            fill_value=float("nan"),
            # Fast, and the same bytes whatever the number of threads.
            compressors=numcodecs.Blosc(cname="lz4", clevel=1, shuffle=numcodecs.Blosc.SHUFFLE),
        )
        array.attrs["_ARRAY_DIMENSIONS"] = list(cube.dims)
        array.attrs["units"] = cube.units[str(cube.value)]
        zarr.consolidate_metadata(str(folder), zarr_format=2)
