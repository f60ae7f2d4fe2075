"""Datasets on disk: Zarr and NetCDF, written chunk by chunk beside their place and moved there when whole.

A sweep that was stopped left its chunks in ``.NAME.part`` and their numbers in a journal; the same sweep goes on from
there, another one is refused.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from roofline.errors import RooflineError
from roofline.sweeping.cube import VALUES, Chunk, Cube

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Endings of datasets.
ENDINGS = (".zarr", ".nc")


class Store:
    """A dataset in the making.

    Attributes
    ----------
    path : Path
        Where it will be.
    partial : Path
        The folder beside it that holds what is done.
    done : set of int
        Numbers of the chunks that are there.
    """

    def __init__(self, cube: Cube, path: Path, overwrite: bool) -> None:
        """Begin, or go on with what an earlier run left."""
        if path.exists() and not overwrite:
            raise RooflineError(f"{path} exists; choose another name or give --overwrite")
        _needed(path)
        self.cube, self.path = cube, path
        self.partial = path.with_name(f".{path.name}.part")
        self._journal = self.partial / "journal.txt"
        self._data: Any = None
        try:
            self.done = self._resume() if self.partial.exists() else self._begin()
            self._array = self._open()
            self._log = self._journal.open("a", encoding="ascii")
        except OSError as error:
            raise RooflineError(f"{path}: cannot write ({error.strerror or error})") from None

    def _begin(self) -> set[int]:
        self.partial.mkdir(parents=False)
        with self._journal.open("w", encoding="ascii") as file:
            file.write(self.cube.fingerprint + "\n")
        return set()

    def _resume(self) -> set[int]:
        lines = self._journal.read_text(encoding="ascii").splitlines() if self._journal.exists() else []
        if not lines:
            shutil.rmtree(self.partial)
            return self._begin()
        if lines[0] != self.cube.fingerprint:
            raise RooflineError(
                f"{self.partial} holds another sweep that was stopped; finish that one, or remove the folder"
            )
        # The last line may have been cut off: only a semicolon makes a number whole.
        return {int(line[:-1]) for line in lines[1:] if line.endswith(";")}

    def _open(self) -> Any:
        if self.path.suffix == ".zarr":
            return _zarr(self.cube, self.partial / "data")
        return np.lib.format.open_memmap(
            self.partial / "data.npy",
            mode="r+" if (self.partial / "data.npy").exists() else "w+",
            dtype=np.float32,
            shape=self.cube.shape,
        )

    def __enter__(self) -> Store:
        """Keep the journal open for a run."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the journal; what is there stays for the next run."""
        self._log.close()

    def write(self, number: int, chunk: Chunk, values: NDArray[np.float32]) -> None:
        """Store a chunk; it counts once it is on disk."""
        try:
            self._array[self.cube.index(chunk)] = values
            self._log.write(f"{number};\n")
            self._log.flush()
        except OSError as error:
            message = f"{self.path}: cannot write ({error.strerror or error}); run the same command again to go on"
            raise RooflineError(message) from None

    def finish(self) -> None:
        """Complete the dataset and move it to its place."""
        try:
            self._log.close()
            if self.path.suffix == ".zarr":
                whole = self.partial / "data"
            else:
                whole = self.partial / "data.nc"
                _netcdf(self.cube, self._array, whole)
            if self.path.is_dir():
                shutil.rmtree(self.path)
            os.replace(whole, self.path)
            shutil.rmtree(self.partial)
        except OSError as error:
            message = f"{self.path}: cannot write ({error.strerror or error}); run the same command again to go on"
            raise RooflineError(message) from None


def _needed(path: Path) -> None:
    """Refuse at once what cannot be written at the end."""
    try:
        if path.suffix == ".zarr":
            import xarray  # noqa: F401
            import zarr  # noqa: F401
        else:
            import h5netcdf  # noqa: F401
            import h5py  # noqa: F401
    except ImportError:
        raise RooflineError(f"{path.suffix} datasets need more packages: pip install 'roofline[datasets]'") from None


def _attributes(cube: Cube) -> dict[str, str]:
    return {"title": f"roofline sweep, {cube.phase}", "settings": json.dumps(dict(cube.attributes), sort_keys=True)}


def _coordinates(cube: Cube) -> Iterator[tuple[str, NDArray[Any], dict[str, str]]]:
    for name, values in cube.coordinates.items():
        if all(isinstance(value, str) for value in values):
            yield name, np.array(values, dtype=object), {}
        else:
            unit = {cube.length_name: "token", "batch": "sequence", "usd_per_hour": "USD/h"}.get(name)
            yield name, np.asarray(values), {"units": unit} if unit else {}


def _zarr(cube: Cube, folder: Path) -> Any:
    """Return the Zarr array of a cube's values, made with its coordinates where it is not there yet."""
    import zarr

    if (folder / ".zmetadata").exists():
        return zarr.open_group(str(folder), mode="r+", zarr_format=2)[cube.value]
    if folder.exists():
        shutil.rmtree(folder)
    import warnings

    import xarray

    coordinates = {name: (name, values, attributes) for name, values, attributes in _coordinates(cube)}
    frame = xarray.Dataset(coords=coordinates, attrs=_attributes(cube))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        frame.to_zarr(str(folder), mode="w", zarr_format=2, consolidated=False)
        group = zarr.open_group(str(folder), mode="r+", zarr_format=2)
        shape = (*(1 for _ in cube.outer), cube.rows, len(cube.lengths))
        array = group.create_array(
            cube.value,
            shape=cube.shape,
            chunks=shape,
            dtype="float32",
            fill_value=float("nan"),
            compressors=_compressor(),
        )
        array.attrs["_ARRAY_DIMENSIONS"] = list(cube.dims)
        array.attrs["units"] = VALUES[cube.value]
        zarr.consolidate_metadata(str(folder), zarr_format=2)
    return array


def _compressor() -> Any:
    import numcodecs

    # Fast, and the same bytes whatever the number of threads.
    return numcodecs.Blosc(cname="lz4", clevel=1, shuffle=numcodecs.Blosc.SHUFFLE)


def _netcdf(cube: Cube, values: NDArray[np.float32], path: Path) -> None:
    """Write the whole cube as NetCDF-4, chunk by chunk."""
    import h5netcdf
    import h5py

    with h5netcdf.File(path, "w", track_order=False) as file:
        file.dimensions = dict(zip(cube.dims, cube.shape, strict=True))
        for name, labels, attributes in _coordinates(cube):
            text = labels.dtype == object
            variable = file.create_variable(name, (name,), h5py.string_dtype() if text else labels.dtype)
            variable[...] = labels
            variable.attrs.update(attributes)
        shape = (*(1 for _ in cube.outer), cube.rows, len(cube.lengths))
        variable = file.create_variable(
            cube.value,
            cube.dims,
            np.float32,
            chunks=shape,
            compression="gzip",
            compression_opts=1,
            shuffle=True,
            fillvalue=np.float32("nan"),
        )
        variable.attrs["units"] = VALUES[cube.value]
        for chunk in cube.chunks():
            variable[cube.index(chunk)] = values[cube.index(chunk)]
        file.attrs.update(_attributes(cube))
