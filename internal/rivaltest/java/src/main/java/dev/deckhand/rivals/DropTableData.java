package dev.deckhand.rivals;

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.util.Map;
import org.apache.iceberg.CatalogUtil;
import org.apache.iceberg.IcebergBuild;
import org.apache.iceberg.TableMetadata;
import org.apache.iceberg.TableMetadataParser;
import org.apache.iceberg.aws.s3.S3FileIO;

/**
 * Purges the table of each metadata location that it reads, a line each, with {@link CatalogUtil#dropTableData}, and
 * answers how many nanoseconds that took. Its first line names the versions. Arguments: endpoint, key, secret.
 */
public final class DropTableData {
  private DropTableData() {}

  public static void main(String[] args) throws Exception {
    Map<String, String> properties =
        Map.of(
            "s3.endpoint", args[0],
            "s3.access-key-id", args[1],
            "s3.secret-access-key", args[2],
            "s3.path-style-access", "true",
            "client.region", "us-east-1");
    System.out.printf("%s on Java %s%n", IcebergBuild.version(), System.getProperty("java.version"));
    BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
    try (S3FileIO io = new S3FileIO()) {
      io.initialize(properties);
      for (String location = lines.readLine(); location != null; location = lines.readLine()) {
        long start = System.nanoTime();
        TableMetadata metadata = TableMetadataParser.read(io.newInputFile(location));
        CatalogUtil.dropTableData(io, metadata);
        System.out.println(System.nanoTime() - start);
      }
    }
  }
}
