package dev.deckhand.polaris.wiring;

import static org.assertj.core.api.Assertions.assertThat;

import dev.deckhand.polaris.server.ExecutorCheck;
import io.quarkus.bootstrap.app.CuratedApplication;
import io.quarkus.bootstrap.app.QuarkusBootstrap;
import io.quarkus.bootstrap.app.RunningQuarkusApplication;
import io.quarkus.bootstrap.model.ApplicationModelBuilder;
import io.quarkus.maven.dependency.ArtifactCoords;
import io.quarkus.maven.dependency.DependencyFlags;
import io.quarkus.maven.dependency.ResolvedDependencyBuilder;
import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.URL;
import java.nio.file.FileSystem;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Objects;
import java.util.Properties;
import java.util.Set;
import java.util.jar.JarEntry;
import java.util.jar.JarOutputStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Quarkus builds and starts an application as it does a server: the start-up check and a stock executor in the application
 * itself, our beans in a jar beside it. The jar with the bean index and the jar without differ in nothing else.
 */
class BeanDiscoveryTest {
  private static final Path CLASSES = Path.of("target", "classes");
  private static final Path TEST_CLASSES = Path.of("target", "test-classes");
  private static final String INDEX = "META-INF/jandex.idx";

  @TempDir Path folder;

  @Test
  void withTheIndexTheServerStarts() throws Exception {
    assertThat(startServerWith(wiring(true))).isEmpty();
  }

  @Test
  void withoutTheIndexTheStockExecutorIsTakenAndTheServerRefusesToStart() throws Exception {
    assertThat(startServerWith(wiring(false)))
        .anyMatch(text -> text.contains("StockExecutor") && text.contains(INDEX));
  }

  /** What ended the start, with its causes; empty if it started. */
  private List<String> startServerWith(Path wiring) throws Exception {
    Path application = Files.createDirectories(folder.resolve("application"));
    for (Class<?> bean : List.of(ExecutorCheck.class, Server.StockExecutor.class, StandIns.class)) {
      copy(bean, application);
    }
    Files.writeString(
        application.resolve("application.properties"),
        """
        platform.quarkus.native.builder-image=none
        quarkus.banner.enabled=false
        deckhand.nats.servers=nats://127.0.0.1:1
        """);
    var model = new ApplicationModelBuilder();
    model.setAppArtifact(
        ResolvedDependencyBuilder.newInstance()
            .setCoords(ArtifactCoords.jar("test", "server", "1"))
            .setResolvedPath(application));
    for (String entry : System.getProperty("java.class.path").split(File.pathSeparator)) {
      Path jar = Path.of(entry).toAbsolutePath();
      if (!jar.endsWith(CLASSES) && !jar.endsWith(TEST_CLASSES) && Files.exists(jar)) {
        // Polaris' own beans need all of Polaris; here only its interfaces are wanted
        add(model, jar.getFileName().toString().startsWith("polaris-") ? withoutIndex(jar) : jar);
      }
    }
    add(model, wiring);
    try (CuratedApplication built =
        QuarkusBootstrap.builder()
            .setApplicationRoot(application)
            .setProjectRoot(application)
            .setTargetDirectory(folder)
            .setExistingModel(model.build())
            .setMode(QuarkusBootstrap.Mode.TEST)
            .setIsolateDeployment(true)
            .setBaseClassLoader(getClass().getClassLoader())
            .build()
            .bootstrap()) {
      try (RunningQuarkusApplication running = built.createAugmentor().createInitialRuntimeApplication().run()) {
        return List.of();
      } catch (Exception e) {
        return Stream.iterate((Throwable) e, Objects::nonNull, Throwable::getCause).map(Throwable::toString).toList();
      }
    }
  }

  private static void add(ApplicationModelBuilder model, Path jar) throws IOException {
    // of a local repository: artifact/version/file
    String artifact = jar.getParent().getParent().getFileName().toString();
    int flags = DependencyFlags.RUNTIME_CP | DependencyFlags.DEPLOYMENT_CP;
    model.addDependency(
        ResolvedDependencyBuilder.newInstance()
            .setCoords(ArtifactCoords.jar("test", jar.getFileName().toString(), "1"))
            .setResolvedPath(jar)
            .setFlags(parentFirst().contains(artifact) ? flags | DependencyFlags.CLASSLOADER_PARENT_FIRST : flags));
  }

  /** The artifacts that the build and the application share, as Quarkus says itself. */
  private static Set<String> parentFirst() throws IOException {
    Set<String> artifacts = new HashSet<>();
    ClassLoader loader = BeanDiscoveryTest.class.getClassLoader();
    for (URL url : Collections.list(loader.getResources("META-INF/quarkus-extension.properties"))) {
      var extension = new Properties();
      try (InputStream in = url.openStream()) {
        extension.load(in);
      }
      for (String coordinates : extension.getProperty("parent-first-artifacts", "").split(",")) {
        artifacts.add(coordinates.substring(coordinates.indexOf(':') + 1));
      }
    }
    return artifacts;
  }

  private Path wiring(boolean withIndex) throws IOException {
    Path jar = Files.createDirectories(folder.resolve("wiring/1")).resolve("wiring.jar");
    pack(CLASSES, jar, withIndex);
    return jar;
  }

  private Path withoutIndex(Path jar) throws IOException {
    Path stripped = Files.createDirectories(folder.resolve(jar.getFileName() + "/1")).resolve(jar.getFileName());
    try (FileSystem contents = FileSystems.newFileSystem(jar)) {
      pack(contents.getPath("/"), stripped, false);
    }
    return stripped;
  }

  private static void pack(Path classes, Path jar, boolean withIndex) throws IOException {
    try (OutputStream file = Files.newOutputStream(jar);
        JarOutputStream out = new JarOutputStream(file);
        Stream<Path> files = Files.walk(classes)) {
      for (Path path : files.filter(Files::isRegularFile).sorted().toList()) {
        String name = classes.relativize(path).toString();
        if (withIndex || !name.equals(INDEX)) {
          out.putNextEntry(new JarEntry(name));
          Files.copy(path, out);
        }
      }
    }
  }

  private static void copy(Class<?> type, Path to) throws IOException {
    String name = type.getName().replace('.', '/') + ".class";
    Path target = to.resolve(name);
    Files.createDirectories(target.getParent());
    Files.copy(TEST_CLASSES.resolve(name), target);
  }
}
