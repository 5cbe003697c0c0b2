import sys, hashlib, tempfile, warnings
warnings.filterwarnings("ignore")
sys.path[:0]=["tests/helpers","tests/selection/methods"]
from pathlib import Path
import pyarrow as pa, pyarrow.ipc
from test_score_blocks import in_blocks, REGISTRY, ready
import pytest
@pytest.mark.parametrize("name", sorted(REGISTRY))
def test_it(name):
    d=Path(tempfile.mkdtemp())
    s=in_blocks(name,d)
    t=pa.table({"score":s.score[0],**s.receipts})
    sink=pa.BufferOutputStream()
    import pyarrow.parquet as pq
    pq.write_table(t,sink,compression="zstd")
    print("CMP",name, repr(s.flops), s.resumed_flops, hashlib.sha256(sink.getvalue()).hexdigest()[:16], s.score.shape, s.score.flags.c_contiguous, str(t.schema).replace("\n",";")[:150])
